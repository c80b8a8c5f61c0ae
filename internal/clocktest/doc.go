// Package clocktest gives a running program a wrong clock, for tests: what it believes the time of day to be jumps, as when an
// operator or a time service corrects it, while the clock that only counts goes on. Other programs on the machine keep
// theirs.
//
// Programs read the clock through a page that the kernel maps into each of them, the vDSO. A few bytes of the target's own copy
// of that page are replaced by a function that asks the kernel and adds an offset. The program need not be built for it.
package clocktest
