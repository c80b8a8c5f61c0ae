// Package apitest checks what the API answers against the OpenAPI document that promises it. It is for tests: those of
// the API itself, and those that drive the built program from outside.
package apitest

import (
	"bytes"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// basePath is where the document's paths begin. What a server answers elsewhere is not the API.
const basePath = "/api/v1"

// Checker knows a document. It is safe for concurrent use.
type Checker struct {
	paths   []path
	failure *schema // of the answers for what the document doesn't have
	// Skip exempts requests whose answers are another contract's, such as those for old clients. Optional; set it before
	// the first check.
	Skip func(*http.Request) bool
}

// path is an entry of the document's paths.
type path struct {
	segments   []string
	operations map[string]operation // by method
}

type operation struct {
	id        string
	responses map[string]response // by status
}

type response struct {
	content map[string]*schema // by media type; empty: there is no body
	headers map[string]header
}

type header struct {
	required bool
	schema   *schema
}

// Check says in what an answer differs from what the document promises: an undocumented operation, status, type of
// content, header or field. Paths that the document doesn't have must be answered with 404, and methods with 405.
func (c *Checker) Check(req *http.Request, status int, header http.Header, body []byte) error {
	if !strings.HasPrefix(req.URL.Path, basePath) || isPreflight(req) || c.Skip != nil && c.Skip(req) {
		return nil
	}
	if err := c.check(req, status, header, body); err != nil {
		return fmt.Errorf("%s %s answers %d: %w", req.Method, req.URL.Path, status, err)
	}
	return nil
}

func (c *Checker) check(req *http.Request, status int, header http.Header, body []byte) error {
	found := c.find(req.Method, req.URL.Path)
	if found == nil {
		return c.refused("path", http.StatusNotFound, status, header, body)
	}
	op, ok := found.operations[req.Method]
	if !ok {
		if header.Get("Allow") == "" && status == http.StatusMethodNotAllowed {
			return errors.New("there is no Allow header")
		}
		return c.refused("method", http.StatusMethodNotAllowed, status, header, body)
	}
	answer, ok := op.responses[strconv.Itoa(status)]
	if !ok {
		return fmt.Errorf("%s has no such status: %s", op.id, body)
	}
	return errors.Join(answer.checkHeaders(header), answer.checkBody(req.Method, header, body))
}

// refused checks the answer for something that the document doesn't have.
func (c *Checker) refused(what string, want, status int, header http.Header, body []byte) error {
	if status != want && status != http.StatusTooManyRequests { // limits on requests come first
		return fmt.Errorf("the document has no such %s, and status %d was to be expected", what, want)
	}
	answer := response{content: map[string]*schema{"application/json": c.failure}}
	return answer.checkBody(http.MethodGet, header, body)
}

// find returns the path that matches best: one that has the method wins over one that doesn't, and then a literal
// segment over a parameter.
func (c *Checker) find(method, raw string) *path {
	segments := strings.Split(strings.Trim(raw, "/"), "/")
	var best *path
	for i := range c.paths {
		if p := &c.paths[i]; p.matches(segments) && (best == nil || p.beats(best, method)) {
			best = p
		}
	}
	return best
}

func (p *path) beats(other *path, method string) bool {
	_, has := p.operations[method]
	if _, otherHas := other.operations[method]; has != otherHas {
		return has
	}
	return p.parameters() < other.parameters()
}

func isParameter(segment string) bool { return strings.HasPrefix(segment, "{") }

func (p *path) matches(segments []string) bool {
	return slices.EqualFunc(p.segments, segments, func(want, got string) bool {
		return want == got || isParameter(want) && got != ""
	})
}

func (p *path) parameters() int {
	count := 0
	for _, segment := range p.segments {
		if isParameter(segment) {
			count++
		}
	}
	return count
}

// checkHeaders checks those that the document describes.
func (r response) checkHeaders(got http.Header) error {
	var errs []error
	for name, h := range r.headers {
		value := got.Get(name)
		if value == "" {
			if h.required {
				errs = append(errs, fmt.Errorf("the header %s is missing", name))
			}
			continue
		}
		var typed any = value
		if h.schema.numeric {
			number, err := jsonschema.UnmarshalJSON(strings.NewReader(value))
			if err != nil {
				errs = append(errs, fmt.Errorf("the header %s is %q, which is no number", name, value))
				continue
			}
			typed = number
		}
		if err := h.schema.compiled.Validate(typed); err != nil {
			errs = append(errs, fmt.Errorf("the header %s is %q: %w", name, value, err))
		}
	}
	return errors.Join(errs...)
}

func (r response) checkBody(method string, header http.Header, body []byte) error {
	if len(r.content) == 0 || method == http.MethodHead {
		if len(body) > 0 {
			return fmt.Errorf("there is a body where none is documented: %s", body)
		}
		return nil
	}
	mediaType, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil {
		return fmt.Errorf("the Content-Type %q: %w", header.Get("Content-Type"), err)
	}
	want, ok := r.content[mediaType]
	if !ok {
		return fmt.Errorf("the Content-Type %s is not documented", mediaType)
	}
	if mediaType != "application/json" {
		return nil
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("the body is not JSON: %w: %s", err, body)
	}
	if err := want.compiled.Validate(value); err != nil {
		return fmt.Errorf("the body differs from its schema: %w: %s", err, body)
	}
	return nil
}

func isPreflight(req *http.Request) bool {
	return req.Method == http.MethodOptions && req.Header.Get("Access-Control-Request-Method") != ""
}
