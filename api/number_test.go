package api

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWholeNumbersInAnySpelling(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app := b.must(http.StatusCreated, "POST", "/app", `{"name":"Acme","throttleRate":5.0}`)
	require.Contains(t, b.do("GET", "/app/"+app, "").body, `"throttleRate":5,`)
	r := b.do("PATCH", "/app/"+app, `{"throttleRate":6.5535e4,"metadata":{"a":"5.0"}}`)
	require.Equal(t, http.StatusOK, r.status, r.body)
	require.Contains(t, r.body, `"throttleRate":65535,`)
	require.Contains(t, r.body, `"a":"5.0"`)

	for body, complaint := range map[string]string{
		`{"throttleRate":5.5}`:                                    "integer",
		`{"throttleRate":1e300}`:                                  "65535",
		`{"throttleRate":5.0} {}`:                                 "after top-level value",
		`{"metadata":{"a":1},"throttleRate":5.0}`:                 "metadata",
		`{"throttleRate":5.0,"throttleRate":"five","name":"two"}`: "throttleRate",
	} {
		r := b.do("PATCH", "/app/"+app, body)
		require.Equal(t, http.StatusUnprocessableEntity, r.status, r.body)
		require.Contains(t, r.body, complaint)
		require.NotContains(t, r.body, "Go ", "types of the program are nobody's business")
	}
}
