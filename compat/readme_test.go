package compat

import (
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// testReadme runs what README.md shows of SDKs, against an application that has an endpoint.
func testReadme(t *testing.T, s *server, customer *receiver) {
	page, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	p := plain{url: s.url, token: s.token}
	p.must(t, http.MethodPost, "/app", object{"name": "Demo", "uid": "demo"}, nil)
	p.must(t, http.MethodPost, "/app/demo/endpoint", object{"url": customer.url + "/hook/up-demo"}, nil)

	expected := 0
	for _, example := range []struct {
		language string
		suite    string
		args     []string
	}{
		{"js", "node", []string{"--input-type=module", "--eval"}},
		{"python", "python", []string{"-c"}},
	} {
		block := regexp.MustCompile("(?s)```" + example.language + "\n(.*?)```").FindStringSubmatch(string(page))
		require.NotNil(t, block, "README.md has no example in %s", example.language)
		t.Run(example.language, func(t *testing.T) {
			for _, suite := range suites {
				if suite.name == example.suite {
					suite.args = append(example.args, strings.ReplaceAll(block[1], "http://127.0.0.1:8071", s.url))
					suite.run(t, map[string]string{"TOKEN": s.token})
				}
			}
			expected++
			came, ok := customer.wait(t.Context(), "up-demo", expected)
			require.True(t, ok)
			require.Contains(t, came[expected-1].Body, "ord_")
		})
	}
}
