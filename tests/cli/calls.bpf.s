.section "timer/1s"
main:
    r1 = *(u64 *)(r1 + 0)
    call double
    exit
double:
    r0 = r1
    r0 += r1
    exit
