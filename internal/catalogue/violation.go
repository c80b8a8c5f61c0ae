package catalogue

import (
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// Violation is one thing that is wrong with a payload. Its message quotes the schema and never a value of the payload,
// so it can be kept and shown; its path has the payload's keys.
type Violation struct {
	Path    []string
	Message string
}

// String is path and message in one line.
func (v Violation) String() string {
	if len(v.Path) == 0 {
		return v.Message
	}
	return strings.Join(v.Path, ".") + ": " + v.Message
}

// Limits on what is told. Whoever mends that finds out about the rest.
const (
	maxViolations = 20
	maxChoices    = 10 // of the values that a schema allows
	maxPath       = 50 // keys
	maxKey        = 200
	maxText       = 1000
)

func violationsOf(err *jsonschema.ValidationError) []Violation {
	found := flatten(err, nil)
	slices.SortStableFunc(found, func(a, b Violation) int { return slices.Compare(a.Path, b.Path) })
	found = slices.CompactFunc(found, func(a, b Violation) bool { return a.String() == b.String() })
	found = found[:min(len(found), maxViolations)]
	for i := range found {
		found[i].shorten()
	}
	return found
}

// shorten keeps a violation small, whatever keys a payload has.
func (v *Violation) shorten() {
	if len(v.Path) > maxPath {
		v.Path = append(slices.Clone(v.Path[:maxPath]), "…")
	}
	for i, key := range v.Path {
		v.Path[i] = cut(key, maxKey)
	}
	v.Message = cut(v.Message, maxText)
}

func cut(s string, size int) string {
	if len(s) <= size {
		return s
	}
	return strings.ToValidUTF8(s[:size], "") + "…"
}

// flatten appends the leaves of a tree of errors, each as what somebody who mends the payload has to know.
func flatten(err *jsonschema.ValidationError, found []Violation) []Violation {
	at := err.InstanceLocation
	add := func(path []string, format string, args ...any) {
		found = append(found, Violation{slices.Clone(path), fmt.Sprintf(format, args...)})
	}
	below := func(name string) []string { return append(slices.Clone(at), name) }
	switch k := err.ErrorKind.(type) {
	case *kind.AnyOf:
		add(at, "%s", nearest(err))
	case *kind.OneOf:
		if k.Subschemas != nil {
			add(at, "matches several of the alternatives and must match exactly one")
		} else {
			add(at, "%s", nearest(err))
		}
	case *kind.Required:
		for _, name := range k.Missing {
			add(below(name), "is required")
		}
	case *kind.DependentRequired:
		for _, name := range k.Missing {
			add(below(name), "is required where there is %q", k.Prop)
		}
	case *kind.Dependency:
		for _, name := range k.Missing {
			add(below(name), "is required where there is %q", k.Prop)
		}
	case *kind.AdditionalProperties:
		for _, name := range k.Properties {
			add(below(name), "is not a property that the schema knows")
		}
	case *kind.PropertyNames:
		add(below(k.Property), "has a name that properties can't have here")
	default:
		if text := describe(err.ErrorKind); text != "" {
			add(at, "%s", text)
			return found
		}
		if len(err.Causes) == 0 {
			add(at, "violates %q", strings.Join(err.ErrorKind.KeywordPath(), "."))
		}
		for _, cause := range err.Causes {
			found = flatten(cause, found)
		}
	}
	return found
}

// nearest tells of several alternatives the one with the least that is wrong.
func nearest(err *jsonschema.ValidationError) string {
	var best []Violation
	for _, alternative := range err.Causes {
		if found := flatten(alternative, nil); best == nil || len(found) < len(best) {
			best = found
		}
	}
	text := fmt.Sprintf("matches none of the %d alternatives", len(err.Causes))
	if len(best) > 0 {
		first := best[0]
		first.Path = first.Path[len(err.InstanceLocation):]
		text += "; nearest: " + first.String()
	}
	return text
}

// describe tells what a value must be. It is empty for kinds that are about their causes only.
func describe(k jsonschema.ErrorKind) string {
	switch k := k.(type) {
	case *kind.Type:
		return fmt.Sprintf("must be %s, not %s", strings.Join(k.Want, " or "), k.Got)
	case *kind.Enum:
		return "must be one of " + choices(k.Want)
	case *kind.Const:
		return "must be " + quoted(k.Want)
	case *kind.Format:
		return "is not a valid " + k.Want
	case *kind.Pattern:
		return "must match the pattern " + k.Want
	case *kind.MinLength:
		return "must have " + count(k.Want, "character", "characters") + " or more"
	case *kind.MaxLength:
		return "must have " + count(k.Want, "character", "characters") + " at most"
	case *kind.MinItems:
		return "must have " + count(k.Want, "item", "items") + " or more"
	case *kind.MaxItems:
		return "must have " + count(k.Want, "item", "items") + " at most"
	case *kind.MinProperties:
		return "must have " + count(k.Want, "property", "properties") + " or more"
	case *kind.MaxProperties:
		return "must have " + count(k.Want, "property", "properties") + " at most"
	case *kind.AdditionalItems:
		return "has " + count(k.Count, "item", "items") + " too many"
	case *kind.UniqueItems:
		return fmt.Sprintf("has equal items, %d and %d", k.Duplicates[0], k.Duplicates[1])
	case *kind.Minimum:
		return "must be " + number(k.Want) + " or more"
	case *kind.Maximum:
		return "must be " + number(k.Want) + " at most"
	case *kind.ExclusiveMinimum:
		return "must be more than " + number(k.Want)
	case *kind.ExclusiveMaximum:
		return "must be less than " + number(k.Want)
	case *kind.MultipleOf:
		return "must be a multiple of " + number(k.Want)
	case *kind.Not:
		return "is what the schema excludes"
	case *kind.FalseSchema:
		return "is not allowed"
	case *kind.Contains, *kind.MinContains:
		return "has too few items of the kind that the schema wants"
	case *kind.MaxContains:
		return "has too many items of the kind that the schema limits"
	case *kind.ContentEncoding, *kind.ContentMediaType, *kind.ContentSchema:
		return "has content that is not what the schema says"
	case *kind.RefCycle:
		return "has references that lead back to themselves"
	default:
		return ""
	}
}

func choices(values []any) string {
	shown := make([]string, 0, maxChoices)
	for _, v := range values[:min(len(values), maxChoices)] {
		shown = append(shown, quoted(v))
	}
	text := strings.Join(shown, ", ")
	if more := len(values) - len(shown); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

func quoted(value any) string {
	encoded, err := json.Marshal(value)
	if err != nil {
		return "what the schema says"
	}
	return string(encoded)
}

func number(r *big.Rat) string {
	if r.IsInt() {
		return r.RatString()
	}
	f, _ := r.Float64()
	return strconv.FormatFloat(f, 'g', -1, 64)
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
