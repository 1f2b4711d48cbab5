-- Strings, tables, coroutines, the collector, files, processes.
local t = {}
for i = 1, 6000 do t[i] = ('%d:%x'):format(i, i * 2654435761 % 2^32 // 1 | 0) end
table.sort(t); print(#t, t[1], t[3000], t[6000], #table.concat(t))
local words = {}; for w in ('the rain in spain stays mainly in the plain'):gmatch('%a+') do words[w] = (words[w] or 0) + 1 end
local keys = {}; for k in pairs(words) do keys[#keys + 1] = k end; table.sort(keys)
for _, k in ipairs(keys) do io.write(k, '=', words[k], ' ') end print()
local function gen(n) return coroutine.wrap(function() for i = 1, n do coroutine.yield(i * i) end end) end
local sum = 0; for v in gen(1000) do sum = sum + v end; print(sum)
local cycles = setmetatable({}, { __mode = 'v' }); for i = 1, 3000 do local a = {}; a.self = a; cycles[i] = a end
collectgarbage(); local left = 0; for _ in pairs(cycles) do left = left + 1 end; print(left <= 1)
print(pcall(error, { code = 1 }), select(2, pcall(error, 'message', 0)), math.maxinteger + 1 == math.mininteger, 7 // -2, 7 % -2, 1e15, 2^53, 0/0 ~= 0/0)
print(('x'):rep(5, ','), ('hello'):gsub('l', 'L'), ('%5.3f|%q'):format(math.pi, 'a\nb'), utf8.char(228, 8364), #utf8.char(8364), string.pack('<i4', 258):byte(1, -1))
local f = assert(io.open('data', 'w')); for i = 1, 1000 do f:write(i, '\n') end; f:close()
local n = 0; for line in io.lines('data') do n = n + tonumber(line) end; print(n); f = io.open('data'); print(f:seek('end'), f:seek('set', 10), f:read('l', 'n', 4)); f:close()
print(os.rename('data', 'moved'), os.remove('data'), os.remove('moved'), io.open('missing'))
local p = io.popen('/usr/bin/busybox seq 1 5 | /usr/bin/busybox tr "\\n" " "'); if p then print(p:read('a')); print(p:close()) end
print(os.execute('exit 3')); print(os.execute()); print(os.getenv('HOME'), os.getenv('NONE'), os.date('!%Y-%m-%d', 86400), os.time({ year = 2001, month = 1, day = 1, hour = 12 }))
local deep = 0; local function down(n) deep = deep + 1; if n > 0 then return 1 + down(n - 1) end return 0 end; print(down(5000), deep, pcall(string.rep, 'x', 1 << 40))
print(load('return 1 +')); goto done; print('skipped'); ::done:: print(string.rep('ab', 2e5):len())
