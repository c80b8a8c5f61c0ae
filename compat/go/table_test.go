package compat_test

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	svix "github.com/svix/svix-webhooks/go"
)

// methodsOf are the paths of all methods of a client, as in Message.Poller.Poll.
func methodsOf(resource reflect.Type, path string) (methods []string) {
	for i := range resource.NumMethod() {
		methods = append(methods, path+resource.Method(i).Name)
	}
	for i := range resource.Elem().NumField() {
		if field := resource.Elem().Field(i); field.IsExported() && field.Type.Kind() == reflect.Pointer {
			methods = append(methods, methodsOf(field.Type, path+field.Name+".")...)
		}
	}
	return methods
}

// TestTable holds the table of methods against the SDK. That each operation in it was called, the product's test checks.
func TestTable(t *testing.T) {
	content, err := os.ReadFile("methods.json")
	require.NoError(t, err)
	var table struct {
		SDK        string
		Methods    map[string]string
		OutOfScope map[string]string
	}
	require.NoError(t, json.Unmarshal(content, &table))
	require.Equal(t, "github.com/svix/svix-webhooks v"+svix.Version, table.SDK)

	methods := methodsOf(reflect.TypeFor[*svix.Svix](), "")
	require.Greater(t, len(methods), 100, "the SDK is no longer built as this test expects")
	used := map[string]bool{}
	for _, method := range methods {
		_, exercised := table.Methods[method]
		excluded := false
		for entry := range table.OutOfScope {
			resource, whole := strings.CutSuffix(entry, "*")
			if entry == method || whole && strings.HasPrefix(method, resource) {
				excluded, used[entry] = true, true
			}
		}
		if exercised == excluded {
			t.Errorf("%s must be either exercised or out of scope", method)
		}
	}
	for method := range table.Methods {
		require.Contains(t, methods, method, "the table has a method that the SDK has not")
	}
	for entry := range table.OutOfScope {
		require.True(t, used[entry], "%s is out of scope, but the SDK has no such method", entry)
	}
}
