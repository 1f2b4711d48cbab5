# What QEMU runs: makes the accesses of a job and writes down what came of each. Machine mode, at the start of RAM.
#
# Machine mode is never translated, so this code needs no mapping in the tables that are asked about. Loads and stores are made
# with mstatus.MPRV=1 and MPP=S or U: translated and checked just as if they came from that mode. Fetches are made by
# an mret to the address. Formats: qemu.ts. To change it (LLVM 16 or newer; stub.bin is kept so that nobody else needs it):
#   llvm-mc --arch=riscv64 -mattr=+m,+a --filetype=obj -o stub.o stub.S
#   llvm-objcopy -O binary --only-section=.text stub.o stub.bin
        .equ    PARAM,  0x80200000
        .equ    MPRV,   1<<17
        .equ    CLEAR,  (1<<17)|(1<<18)|(1<<19)|(3<<11)  # MPRV SUM MXR MPP
        .option norvc
        .text
_start:
        csrr    t0, mhartid
        bnez    t0, park
        li      s0, PARAM
        csrw    mscratch, s0
        li      t0, -1                  # PMP: S/U may touch all memory
        csrw    pmpaddr0, t0
        li      t0, 0x1f
        csrw    pmpcfg0, t0
        la      t0, trap
        csrw    mtvec, t0
        csrw    mie, zero

        # Tag the frames: +0 = own PA, +8 = "lui a0, PA[31:12]; ebreak".
        ld      s1, 0x50(s0)            # tag ranges
        ld      s2, 0x48(s0)            # how many
        li      t4, 0x00100073          # ebreak
        li      t5, 4096
tag:    beqz    s2, tagged
        ld      t0, 0(s1)
        ld      t1, 8(s1)
1:      beqz    t1, 2f
        sd      t0, 0(t0)
        ori     t2, t0, 0x537           # lui a0, imm20
        sw      t2, 8(t0)
        sw      t4, 12(t0)
        add     t0, t0, t5
        addi    t1, t1, -1
        j       1b
2:      addi    s1, s1, 16
        addi    s2, s2, -1
        j       tag
tagged: fence.i
        ld      t0, 0x10(s0)            # root0 = satp
        csrw    satp, t0
        sfence.vma
        csrr    t0, satp                # what the WARL field took
        sd      t0, 0x88(s0)
        csrr    t0, mcycle
        sd      t0, 0x90(s0)

        # s4 = index, s3 = number of probes, s1 = probe, s2 = result
        ld      s3, 0x30(s0)
        ld      s1, 0x38(s0)
        ld      s2, 0x40(s0)
        li      s4, 0
probe:  bgeu    s4, s3, finish
        sd      s4, 0x80(s0)            # progress
        ld      a1, 0(s1)               # va
        ld      a2, 8(s1)               # expect_pa
        lwu     a3, 16(s1)              # op
        li      t0, CLEAR
        csrc    mstatus, t0
        andi    t1, a3, 0x10            # supervisor: MPP = 1 (bit 11)
        slli    t2, t1, 7
        andi    t1, a3, 0x20            # SUM (bit 18)
        slli    t1, t1, 13
        or      t2, t2, t1
        andi    t1, a3, 0x40            # MXR (bit 19)
        slli    t1, t1, 13
        or      t2, t2, t1
        andi    a3, a3, 15
        addi    a3, a3, -2
        beqz    a3, fetch
        li      t1, MPRV
        or      t2, t2, t1
        bgtz    a3, rmw
        addi    a3, a3, 1
        beqz    a3, store
load:   csrs    mstatus, t2
        ld      a0, 0(a1)
        csrc    mstatus, t0
        j       ok
store:  not     a4, s4                  # token = ~index
        csrs    mstatus, t2
        sd      a4, 0(a1)
        csrc    mstatus, t0
readbk: li      a0, 0
        beqz    a2, ok
        ld      a0, 0(a2)               # physical read-back at expect_pa
        j       ok
rmw:    not     a4, s4
        csrs    mstatus, t2
        amoswap.d a5, a4, (a1)
        csrc    mstatus, t0
        j       readbk
fetch:  csrs    mstatus, t2
        csrw    mepc, a1
        li      a0, 0
        mret                            # target: lui a0, PA; ebreak

ok:     li      t0, 1
        sw      t0, 0(s2)
        sd      a0, 8(s2)
next:   addi    s4, s4, 1
        addi    s1, s1, 32
        addi    s2, s2, 32
        j       probe

        .balign 4
trap:   # Any trap.  Trust no register but a0: fetched code may be garbage.
        csrr    s0, mscratch
        ld      s4, 0x80(s0)
        ld      s3, 0x30(s0)
        ld      s1, 0x38(s0)
        ld      s2, 0x40(s0)
        slli    t0, s4, 5
        add     s1, s1, t0
        add     s2, s2, t0
        csrr    t0, mcause
        csrr    t1, mtval
        csrr    t2, mepc
        sw      t0, 4(s2)               # code = mcause
        sd      a0, 8(s2)
        sd      t1, 16(s2)
        sd      t2, 24(s2)
        li      t3, 2                   # status = fault ...
        lwu     a3, 16(s1)
        andi    a3, a3, 15
        addi    a3, a3, -2
        bnez    a3, 1f
        li      t4, 3                   # ... but fetch + breakpoint at va+4
        bne     t0, t4, 1f
        ld      t4, 0(s1)
        addi    t4, t4, 4
        bne     t4, t2, 1f
        li      t3, 1                   #     is a fetch that went well
1:      sw      t3, 0(s2)
        j       next

finish: csrr    t0, mcycle
        sd      t0, 0x98(s0)
        li      t0, 1
        sd      t0, 0x78(s0)            # done
        li      t0, 0x100000            # sifive_test: power off, exit code 0
        li      t1, 0x5555
        sw      t1, 0(t0)
park:   wfi
        j       park
