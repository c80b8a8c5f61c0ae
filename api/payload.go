package api

import (
	"bytes"
	"context"
	"encoding/json"
	"strconv"
	"unicode/utf16"

	"github.com/danielgtaylor/huma/v2"

	"github.com/posthorn/posthorn"
)

// maxNesting is how deeply the objects and arrays of a payload may be nested, itself included. Many receivers' parsers
// give up at 512 or at twice that; those that don't give up overflow their stack.
const maxNesting = 512

// byteOrderMark is what some editors put in front of UTF-8, and JSON must not have.
var byteOrderMark = []byte("\xef\xbb\xbf")

// checkNesting refuses what is nested too deeply before anything takes it apart. It needs no valid JSON.
func checkNesting(at string, body []byte) error {
	var depth, begin int
	var inString bool
	var last, member []byte // the last string, and the last name of a member, of the outermost object
	for i := 0; i < len(body); i++ {
		c := body[i]
		switch {
		case inString && c == '\\':
			i++
		case inString && c == '"':
			inString = false
			if depth == 1 {
				last = body[begin:i]
			}
		case inString:
		case c == '"':
			inString, begin = true, i+1
		case c == ':' && depth == 1:
			member = last
		case c == '{' || c == '[':
			// The payload is one level into the body.
			if depth++; depth > maxNesting+1 {
				if isName(string(member)) {
					at += "." + string(member)
				}
				return invalidField(at, "must not be nested more than %d levels deep", maxNesting)
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}

// rawText is a JSON string as it was written, or null.
type rawText []byte

// UnmarshalJSON copies: the memory of a request's body is used again.
func (r *rawText) UnmarshalJSON(b []byte) error {
	*r = bytes.Clone(b)
	return nil
}

// Schema is that of a string.
func (rawText) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Nullable: true}
}

// decode returns the text, and nil for null. It refuses text that has no form in UTF-8, which would not be what was meant.
func (r rawText) decode(field string) ([]byte, error) {
	if len(r) == 0 || string(r) == "null" {
		return nil, nil
	}
	if r[0] != '"' {
		return nil, invalidField(field, "must be a string")
	}
	if hasLoneSurrogate(r) {
		return nil, invalidField(field, "must not have half of a surrogate pair, which UTF-8 can't express")
	}
	var text string
	if err := json.Unmarshal(r, &text); err != nil {
		return nil, invalidField(field, "must be a string")
	}
	return []byte(text), nil
}

// hasLoneSurrogate looks through the escapes of a JSON string.
func hasLoneSurrogate(text []byte) bool {
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		first, ok := escapedUnit(text[i:])
		switch {
		case !ok:
			i++ // an escape of one letter, which may be a backslash
		case !utf16.IsSurrogate(first):
			i += 5
		default:
			second, _ := escapedUnit(text[min(i+6, len(text)):])
			if utf16.DecodeRune(first, second) == '\uFFFD' {
				return true
			}
			i += 11
		}
	}
	return false
}

// escapedUnit reads an escape such as \u00e9 at the beginning of text.
func escapedUnit(text []byte) (unit rune, ok bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	return rune(n), err == nil
}

type messageRawPayloadOut struct {
	Payload string `json:"payload" doc:"The bytes that receivers get, as text: what was submitted, white space and spelling included."`
}

func (s *Server) getRawPayload(ctx context.Context, in *MessagePath) (*answer[messageRawPayloadOut], error) {
	found, err := s.message(ctx, *in)
	if err != nil {
		return nil, err
	}
	if found.Payload == nil {
		return nil, posthorn.Errorf(posthorn.Gone, "The message's payload has expired or was expunged")
	}
	return &answer[messageRawPayloadOut]{Body: messageRawPayloadOut{Payload: string(found.Payload)}}, nil
}
