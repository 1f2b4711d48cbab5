-- What LuaJIT compiles, and compiles again: it makes code, protects it, and throws it away.
local ffi = require("ffi")
local function sum(n) local s = 0 for i = 1, n do s = s + i % 7 end return s end
print("loop", sum(2000000))

-- Traces that meet another type, and have to be left.
local function add(a, b) return a + b end
local total = 0
for i = 1, 300 do total = add(total, i % 50 == 0 and i + 0.5 or i) end
print("types", total, pcall(add, 1, {}))

-- More code than fits: the oldest is thrown away.
require("jit.opt").start("maxmcode=64", "sizemcode=32")
local all = 0
for k = 1, 400 do
  local f = loadstring("local s = 0 for i = 1, 200 do s = s + i * " .. k .. " end return s")
  all = all + f()
end
print("functions", all)

-- Memory of C, and of libc.
ffi.cdef [[ typedef struct { int32_t a; double b; } pair; int getpid(void); void *mmap(void *, size_t, int, int, int, long); int munmap(void *, size_t); ]]
local pairs_ = ffi.new("pair[?]", 1000)
for i = 0, 999 do pairs_[i].a = i * 3; pairs_[i].b = i / 4 end
local b = 0
for i = 0, 999 do b = b + pairs_[i].a + pairs_[i].b end
print("ffi", b, ffi.sizeof("pair"), ffi.C.getpid() > 0)
local page = ffi.cast("uint8_t *", ffi.C.mmap(nil, 65536, 3, 0x22, -1, 0))
for i = 0, 65535 do page[i] = i % 251 end
local check = 0
for i = 0, 65535, 17 do check = check + page[i] end
print("mmap", check, ffi.C.munmap(page, 65536))

local words, text = {}, ("the quick brown fox jumps over the lazy dog "):rep(200)
for word in text:gmatch("%a+") do words[word] = (words[word] or 0) + 1 end
local names = {}
for word, n in pairs(words) do names[#names + 1] = word .. "=" .. n end
table.sort(names)
print(table.concat(names, " "))
local co = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i * i) end end)
print("coroutine", co(), co(), co(), (jit.status()))
