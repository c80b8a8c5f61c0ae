package postgres

import (
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
)

// errAgain is what a write returns that lacks locks. They are added to its own, and it is run again.
var errAgain = errors.New("the write needs more locks")

// lockSet are locks by the number that PostgreSQL knows them by. Two that get the same number are one.
type lockSet map[int64]struct{}

func newLockSet(names []string) lockSet {
	set := make(lockSet, len(names))
	for _, name := range names {
		set[lockNumber(name)] = struct{}{}
	}
	return set
}

func lockNumber(name string) int64 {
	hash := fnv.New64a()
	hash.Write([]byte(name))
	return int64(hash.Sum64())
}

// add takes over another set.
func (s lockSet) add(other lockSet) { maps.Copy(s, other) }

// without are the locks that are not in another set.
func (s lockSet) without(other lockSet) lockSet {
	rest := lockSet{}
	for lock := range s {
		if _, held := other[lock]; !held {
			rest[lock] = struct{}{}
		}
	}
	return rest
}

// touches reports whether two sets have a lock in common.
func (s lockSet) touches(other lockSet) bool {
	if len(s) > len(other) {
		s, other = other, s
	}
	for lock := range s {
		if _, both := other[lock]; both {
			return true
		}
	}
	return false
}

// sorted are the locks in the order in which all take them.
func (s lockSet) sorted() []int64 { return slices.Sorted(maps.Keys(s)) }

// A server has room for some thousand locks altogether. So a transaction that needs very many takes one instead, alone, that
// all who take others share: then it has all there are. That stops every write that needs a lock, for as long as it takes to
// change all endpoints of a large application; messages are accepted meanwhile.
const maxHeld = 1000

var (
	everything = lockNumber("everything")

	takeEverything = fmt.Sprintf("SELECT pg_advisory_xact_lock(%d)", everything)
	takeShare      = fmt.Sprintf("SELECT pg_advisory_xact_lock_shared(%d)", everything)
	takeLocks      = "SELECT pg_advisory_xact_lock(k) FROM unnest(?::bigint[]) k"
	tryLocks       = fmt.Sprintf("SELECT CASE WHEN pg_try_advisory_xact_lock_shared(%d) THEN"+
		" (SELECT count(*) FILTER (WHERE pg_try_advisory_xact_lock(k)) FROM unnest(?::bigint[]) k) ELSE 0 END", everything)
)

// take are the requests that wait for all locks of the set.
func (s lockSet) take() []*request {
	switch {
	case len(s) == 0:
		return nil
	case len(s) > maxHeld:
		return []*request{{text: takeEverything}}
	default:
		return []*request{{text: takeShare}, {text: takeLocks, args: []any{s.sorted()}}}
	}
}
