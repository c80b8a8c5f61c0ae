package apitest

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// metaSchema is the schema of OpenAPI 3.1 documents, version 2022-10-07, that the OpenAPI Initiative publishes under the
// Apache License 2.0.
//
//go:embed openapi-3.1.schema.json
var metaSchema []byte

// Validate says in what a document is not a valid OpenAPI 3.1 document: against the published schema, and in what that
// schema can't say.
func Validate(source []byte) error {
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(source))
	if err != nil {
		return fmt.Errorf("the document is not JSON: %w", err)
	}
	meta, err := jsonschema.UnmarshalJSON(bytes.NewReader(metaSchema))
	if err != nil {
		return err
	}
	const name = "file:///openapi-3.1.schema.json"
	compiler := newCompiler()
	if err := compiler.AddResource(name, meta); err != nil {
		return err
	}
	compiled, err := compiler.Compile(name)
	if err != nil {
		return err
	}
	if err := compiled.Validate(parsed); err != nil {
		return err
	}
	root := parsed.(object)
	errs := append(checkReferences(root, root, ""), checkOperations(root)...)
	errs = append(errs, checkSchemas(root)...)
	return errors.Join(errs...)
}

// checkReferences finds references that lead nowhere.
func checkReferences(root object, part any, where string) (errs []error) {
	switch part := part.(type) {
	case object:
		if ref, ok := part["$ref"].(string); ok && where != "/components/schemas" {
			names := strings.Split(strings.TrimPrefix(ref, "#/"), "/")
			if !strings.HasPrefix(ref, "#/") || at(root, names...) == nil {
				errs = append(errs, fmt.Errorf("%s refers to %s, which doesn't exist", where, ref))
			}
		}
		for _, name := range slices.Sorted(maps.Keys(part)) {
			if name != "example" && name != "examples" {
				errs = append(errs, checkReferences(root, part[name], where+pointer(name))...)
			}
		}
	case []any:
		for _, item := range part {
			errs = append(errs, checkReferences(root, item, where)...)
		}
	}
	return errs
}

// checkOperations finds ids that are there twice, tags that are not declared, and parameters that the path doesn't have.
func checkOperations(root object) (errs []error) {
	declared := map[any]bool{}
	tags, _ := root["tags"].([]any)
	for _, tag := range tags {
		declared[tag.(object)["name"]] = true
	}
	ids := map[any]string{}
	for path, item := range at(root, "paths") {
		for method, op := range item.(object) {
			op := op.(object)
			where := strings.ToUpper(method) + " " + path
			if other, twice := ids[op["operationId"]]; twice {
				errs = append(errs, fmt.Errorf("%s and %s have the id %v", where, other, op["operationId"]))
			}
			ids[op["operationId"]] = where
			named, _ := op["tags"].([]any)
			for _, tag := range named {
				if !declared[tag] {
					errs = append(errs, fmt.Errorf("%s has the tag %v, which is not declared", where, tag))
				}
			}
			errs = append(errs, checkPathParameters(where, path, op)...)
		}
	}
	return errs
}

func checkPathParameters(where, path string, op object) (errs []error) {
	parameters, _ := op["parameters"].([]any)
	var named []string
	for _, p := range parameters {
		if p := p.(object); p["in"] == "path" {
			named = append(named, fmt.Sprintf("{%s}", p["name"]))
		}
	}
	for segment := range strings.SplitSeq(path, "/") {
		if isParameter(segment) && !slices.Contains(named, segment) {
			errs = append(errs, fmt.Errorf("%s does not describe %s", where, segment))
		}
	}
	for _, name := range named {
		if !strings.Contains(path, name) {
			errs = append(errs, fmt.Errorf("%s describes %s, which the path doesn't have", where, name))
		}
	}
	return errs
}

// checkSchemas compiles the schemas, which have to be valid JSON Schemas.
func checkSchemas(root object) (errs []error) {
	compiler := newCompiler()
	if err := compiler.AddResource(document, root); err != nil {
		return []error{err}
	}
	for name := range at(root, "components", "schemas") {
		if _, err := compiler.Compile(document + "#" + pointer("components", "schemas", name)); err != nil {
			errs = append(errs, fmt.Errorf("the schema %s: %w", name, err))
		}
	}
	return errs
}
