package main_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	httpapi "github.com/posthorn/posthorn/api"
	"github.com/posthorn/posthorn/api/apitest"
)

// documented holds every answer that comes through to the OpenAPI document.
func documented(t *testing.T, base *http.Transport) *apitest.Transport {
	t.Helper()
	document, err := httpapi.Document("test")
	require.NoError(t, err)
	checker, err := apitest.New(document)
	require.NoError(t, err)
	return &apitest.Transport{Checker: checker, Base: base, Report: func(err error) { t.Error(err) }}
}
