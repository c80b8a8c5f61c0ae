package compat

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/tooltest"
)

// TestSDKs runs all suites against one server, and then looks at what they have called.
func TestSDKs(t *testing.T) {
	s := newServer(t)
	customer := newReceiver(t)
	served := s.served(t)
	recorders := map[string]*recorder{}

	environment := func(t *testing.T, name string) map[string]string {
		t.Helper()
		recorders[name] = newRecorder(t, s.url)
		own := name + "-own"
		return map[string]string{
			"COMPAT_NAME":      name,
			"COMPAT_URL":       recorders[name].url,
			"COMPAT_TOKEN":     s.token,
			"COMPAT_APP":       own,
			"COMPAT_APP_TOKEN": s.applicationToken(t, own),
			"COMPAT_RECEIVER":  customer.url,
		}
	}
	given := map[string]map[string]string{}
	for _, suite := range suites {
		given[suite.name] = environment(t, suite.name)
	}
	old, without := newRecorder(t, s.url), newRecorder(t, s.url)

	ran := map[string]bool{}
	t.Run("the suite of", func(t *testing.T) {
		for _, suite := range suites {
			t.Run(suite.name, func(t *testing.T) {
				suite.run(t, given[suite.name])
				ran[suite.name] = true
			})
		}
		t.Run("the oldest SDK for Go", func(t *testing.T) { testOldGo(t, old, s, customer) })
		t.Run("the README", func(t *testing.T) { testReadme(t, s, customer) })
		t.Run("what isn't there", func(t *testing.T) { testUnsupported(t, plain{url: s.url, token: s.token}, served) })
		t.Run("no SDK", func(t *testing.T) { testWithoutSDK(t, plain{url: without.url, token: s.token}, customer) })
	})

	t.Run("every operation in scope is served", func(t *testing.T) {
		for _, id := range slices.Sorted(maps.Keys(operations)) {
			if o := operations[id]; !served[o.key()] {
				t.Errorf("%s (%s %s) is in scope and the OpenAPI document doesn't list it", id, o.method, o.path)
			}
		}
	})

	called := map[string]bool{} // by any SDK
	for _, suite := range suites {
		t.Run("the table of methods for "+suite.name+" covers all operations, and each was called and succeeded", func(t *testing.T) {
			m := suite.methods(t)
			for _, id := range slices.Sorted(maps.Keys(operations)) {
				has := slices.Contains(m.operations(), id)
				if has == slices.Contains(m.NoMethod, id) {
					t.Errorf("%s: %s must be either the operation of a method or listed as having none", m.SDK, id)
				}
			}
			for _, id := range append(m.operations(), m.NoMethod...) {
				require.Contains(t, operations, id)
			}
			if !ran[suite.name] {
				tooltest.Absent(t, "its suite didn't run")
			}
			succeeded := recorders[suite.name].succeeded()
			for _, id := range m.operations() {
				called[id] = true
				if !slices.Contains(succeeded, id) {
					t.Errorf("%s has not called %s with success", m.SDK, id)
				}
			}
			require.Empty(t, recorders[suite.name].broken(), "operations that answered with a server error")
		})
	}

	t.Run("what no SDK has a method for was called without one", func(t *testing.T) {
		succeeded := without.succeeded()
		for _, id := range slices.Sorted(maps.Keys(operations)) {
			if !called[id] && allRan(ran) && !slices.Contains(succeeded, id) {
				t.Errorf("nobody has called %s with success", id)
			}
		}
		require.Empty(t, without.broken())
		require.Empty(t, old.broken())
	})
}

func allRan(ran map[string]bool) bool { return len(ran) == len(suites) }
