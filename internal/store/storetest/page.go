package storetest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/store"
)

// requirePages asks for every page of a list that there can be, and compares with what the keys, in ascending order,
// let expect.
func requirePages[T any](t *testing.T, keys []string, key func(T) string, list func(store.Page) (store.List[T], error)) {
	t.Helper()
	positions := []string{""}
	for _, k := range keys {
		positions = append(positions, k, k+"~") // the second is no item's, and lies just behind the first
	}
	for _, descending := range []bool{false, true} {
		for _, backward := range []bool{false, true} {
			for _, after := range positions {
				for limit := 1; limit <= len(keys)+1; limit++ {
					page := store.Page{Limit: limit, Descending: descending, After: after, Backward: backward}
					got, err := list(page)
					require.NoError(t, err)
					want, more := expectedPage(keys, page)
					require.Equal(t, want, keysOf(got.Items, key), "items of %s", describe(page))
					require.Equal(t, more, got.More, "more items than those of %s", describe(page))
				}
			}
		}
	}
}

func describe(p store.Page) string { return fmt.Sprintf("page %+v", p) }

func expectedPage(keys []string, p store.Page) (want []string, more bool) {
	want = slices.Clone(keys)
	if p.Descending {
		slices.Reverse(want)
	}
	want = slices.DeleteFunc(want, func(k string) bool {
		ahead := k > p.After
		if p.Descending != p.Backward {
			ahead = k < p.After
		}
		return p.After != "" && !ahead
	})
	if len(want) <= p.Limit {
		return want, false
	}
	if p.Backward {
		return want[len(want)-p.Limit:], true
	}
	return want[:p.Limit], true
}

func keysOf[T any](items []T, key func(T) string) []string {
	keys := make([]string, 0, len(items))
	for _, item := range items {
		keys = append(keys, key(item))
	}
	return keys
}

// everything is a page that holds all there is in a test.
func everything() store.Page { return store.Page{Limit: 1000} }
