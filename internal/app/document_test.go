package app_test

import (
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/api"
	"github.com/posthorn/posthorn/api/apitest"
)

// checker holds the answers that tests get to the OpenAPI document.
var checker = sync.OnceValues(func() (*apitest.Checker, error) {
	document, err := api.Document("test")
	if err != nil {
		return nil, err
	}
	return apitest.New(document)
})

func requireDocumented(t *testing.T, req *http.Request, res *http.Response, body []byte) {
	t.Helper()
	c, err := checker()
	require.NoError(t, err)
	require.NoError(t, c.Check(req, res.StatusCode, res.Header, body))
}
