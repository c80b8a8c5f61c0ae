package catalogue_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/catalogue"
)

func TestCompile(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ schema, want string }{
		"text that isn't JSON":               {`{`, "must be JSON"},
		"something behind the schema":        {`{} {}`, "must be JSON"},
		"a schema that isn't an object":      {`true`, "must be a JSON Schema"},
		"a type that there isn't":            {`{"type":"nonsense"}`, "nearest: must be one of"},
		"a reference to a file":              {`{"$ref":"file:///etc/passwd"}`, "another document"},
		"a reference to a page":              {`{"$ref":"https://example.com/x.json"}`, "another document, https://example.com/x.json"},
		"a reference to a neighbour":         {`{"$ref":"x.json"}`, "another document, /x.json"},
		"a reference to nowhere":             {`{"$ref":"#/definitions/none"}`, "not a valid JSON Schema"},
		"a pattern that isn't one":           {`{"properties":{"a":{"pattern":"("}}}`, "properties.a.pattern: is not a valid regex"},
		"a number beyond all measure":        {`{"minimum":1e999999999}`, "too large"},
		"a number with very many digits":     {`{"minimum":` + strings.Repeat("9", 5000) + `}`, "too large"},
		"a reference that leads back to it":  {`{"$ref":"#"}`, ""},
		"a schema of a later draft":          {`{"$schema":"https://json-schema.org/draft/2020-12/schema","prefixItems":[{}],"$defs":{"a":{}},"$ref":"#/$defs/a"}`, ""},
		"a draft that nobody knows":          {`{"$schema":"https://example.com/draft"}`, "another document"},
		"keywords that nobody knows":         {`{"x-own":{"$ref":"#/x"}}`, ""},
		"an empty schema, which allows all.": {`{}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := catalogue.Compile([]byte(c.schema))
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), "schema://")
			require.NotContains(t, err.Error(), "catalogue", "the folder is nobody's business")
		})
	}
}

func TestViolationsAreClear(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		schema, payload string
		want            []string
	}{
		"nothing":            {`{"type":"object"}`, `{}`, nil},
		"a type":             {`{"properties":{"a":{"type":["string","null"]}}}`, `{"a":1}`, []string{"a: must be null or string, not number"}},
		"what is missing":    {`{"required":["a","b"]}`, `{"a":1}`, []string{"b: is required"}},
		"what is too much":   {`{"additionalProperties":false}`, `{"b":1,"a":2}`, []string{"a: is not a property that the schema knows", "b: is not a property that the schema knows"}},
		"a choice":           {`{"properties":{"a":{"enum":[1,"x",null]}}}`, `{"a":"SECRET"}`, []string{`a: must be one of 1, "x", null`}},
		"a constant":         {`{"properties":{"a":{"const":{"b":1}}}}`, `{"a":"SECRET"}`, []string{`a: must be {"b":1}`}},
		"a format":           {`{"properties":{"a":{"format":"date-time"}}}`, `{"a":"SECRET"}`, []string{"a: is not a valid date-time"}},
		"a pattern":          {`{"properties":{"a":{"pattern":"^x+$"}}}`, `{"a":"SECRET"}`, []string{"a: must match the pattern ^x+$"}},
		"bounds of a number": {`{"properties":{"a":{"minimum":1.5},"b":{"exclusiveMaximum":3},"c":{"multipleOf":2}}}`, `{"a":1,"b":3,"c":5}`, []string{"a: must be 1.5 or more", "b: must be less than 3", "c: must be a multiple of 2"}},
		"lengths":            {`{"properties":{"a":{"minLength":2},"b":{"maxItems":1},"c":{"minProperties":1}}}`, `{"a":"x","b":[1,2],"c":{}}`, []string{"a: must have 2 characters or more", "b: must have 1 item at most", "c: must have 1 property or more"}},
		"equal items":        {`{"properties":{"a":{"uniqueItems":true}}}`, `{"a":["SECRET","SECRET"]}`, []string{"a: has equal items, 0 and 1"}},
		"alternatives":       {`{"properties":{"a":{"anyOf":[{"type":"string"},{"required":["x"],"properties":{"y":{"type":"string"}},"type":"object"}]}}}`, `{"a":{"y":1}}`, []string{"a: matches none of the 2 alternatives; nearest: must be string, not object"}},
		"several of one":     {`{"properties":{"a":{"oneOf":[{},{"type":"string"}]}}}`, `{"a":"x"}`, []string{"a: matches several of the alternatives and must match exactly one"}},
		"what is excluded":   {`{"properties":{"a":{"not":{"type":"string"}},"b":false}}`, `{"a":"x","b":1}`, []string{"a: is what the schema excludes", "b: is not allowed"}},
		"what depends":       {`{"dependencies":{"a":["b"]}}`, `{"a":1}`, []string{`b: is required where there is "a"`}},
		"names":              {`{"propertyNames":{"maxLength":1}}`, `{"ab":1}`, []string{"ab: has a name that properties can't have here"}},
		"behind references":  {`{"properties":{"a":{"items":{"$ref":"#/definitions/x"}}},"definitions":{"x":{"allOf":[{"type":"string"}]}}}`, `{"a":["x",1]}`, []string{"a.1: must be string, not number"}},
		"huge numbers":       {`{"minimum":1}`, `{"a":1e-999999999}`, []string{"has a number that is too large or too small to be checked"}},
		"not JSON":           {`{}`, `<a/>`, []string{"must be JSON"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			schema, err := catalogue.Compile([]byte(c.schema))
			require.NoError(t, err)
			var got []string
			for _, v := range schema.Check([]byte(c.payload)) {
				got = append(got, v.String())
			}
			require.Equal(t, c.want, got)
		})
	}
	t.Run("and twenty at most", func(t *testing.T) {
		t.Parallel()
		schema, err := catalogue.Compile([]byte(`{"additionalProperties":{"type":"string"}}`))
		require.NoError(t, err)
		payload := `{"a":1`
		for i := range 100 {
			payload += `,"k` + strings.Repeat("x", i) + `":1`
		}
		require.Len(t, schema.Check([]byte(payload+"}")), 20)
	})
}

func TestViolationsAreShort(t *testing.T) {
	t.Parallel()
	schema, err := catalogue.Compile([]byte(`{"properties":{"a":{"$ref":"#"}},"additionalProperties":false}`))
	require.NoError(t, err)
	const depth = 300
	payload := strings.Repeat(`{"a":`, depth) + `{"` + strings.Repeat("é", 500_000) + `":1}` + strings.Repeat("}", depth)
	found := schema.Check([]byte(payload))
	require.Len(t, found, 1)
	require.Less(t, len(found[0].String()), 2000)

	found = schema.Check([]byte(`{"` + strings.Repeat("é", 500_000) + `":1}`))
	require.Len(t, found, 1)
	require.Less(t, len(found[0].String()), 2000)
	require.True(t, utf8.ValidString(found[0].String()))
}

func TestExample(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ schema, want string }{
		"its own":                {`{"examples":[{"a": 1.0}]}`, `{"a": 1.0}`},
		"its only one":           {`{"example":{"a":1}}`, `{"a":1}`},
		"made of properties":     {`{"properties":{"b":{"type":"boolean"},"d":{"type":"string","format":"date-time"},"n":{"type":"null"},"s":{"type":"string","minLength":6,"maxLength":7}}}`, `{"b":true,"d":"2026-01-15T12:30:00Z","n":null,"s":"textxx"}`},
		"made of bounds":         {`{"properties":{"a":{"type":"integer","exclusiveMinimum":10,"multipleOf":4},"b":{"type":"number","maximum":-3},"c":{"minimum":5}}}`, `{"a":12,"b":-3,"c":5}`},
		"made of parts":          {`{"allOf":[{"properties":{"a":{"const":1}},"required":["a"]},{"properties":{"b":{"default":2}}}],"type":"object"}`, `{"a":1,"b":2}`},
		"made of an alternative": {`{"oneOf":[{"properties":{"a":{"const":"x"}},"required":["a"]},{"properties":{"a":{"const":"y"}}}]}`, `{"a":"x"}`},
		"made of references":     {`{"$ref":"#/definitions/a~1b","definitions":{"a/b":{"type":"object","properties":{"x":{"$ref":"#/definitions/c"}}},"c":{"enum":["v"]}}}`, `{"x":"v"}`},
		"made of lists":          {`{"properties":{"a":{"type":"array","minItems":2,"items":{"type":"integer"}},"b":{"type":"array","items":[{"const":1},{"const":2}],"additionalItems":false}}}`, `{"a":[1,1],"b":[1,2]}`},
		"that ends somewhere":    {`{"type":"object","properties":{"name":{"const":"n"},"children":{"type":"array","items":{"$ref":"#"}}}}`, ""},
		"of required names only": {`{"required":["a"]}`, `{"a":"value"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			made, err := catalogue.Example([]byte(c.schema), 0)
			require.NoError(t, err)
			if c.want != "" {
				require.Equal(t, c.want, string(made))
			}
			schema, err := catalogue.Compile([]byte(c.schema))
			require.NoError(t, err)
			require.Empty(t, schema.Check(made))
		})
	}
	for name, c := range map[string]struct {
		schema string
		index  int
		want   string
	}{
		"where there are fewer":             {`{"examples":[{}]}`, 1, "has 1 example"},
		"that isn't an object":              {`{"examples":["x"]}`, 0, "not an object"},
		"of what can't be made up":          {`{"properties":{"a":{"pattern":"^[0-9]{4}$"}}}`, 0, "none could be made up"},
		"of what has no end":                {`{"type":"object","required":["a"],"properties":{"a":{"$ref":"#"}}}`, 0, "none could be made up"},
		"of what grows without measure":     {`{"properties":{"a":{"$ref":"#"},"b":{"$ref":"#"},"c":{"$ref":"#"}},"required":["a","b","c"]}`, 0, "none could be made up"},
		"of what has parts without measure": {`{"$ref":"#/definitions/a","definitions":{"a":{"allOf":[{"$ref":"#/definitions/a"},{"$ref":"#/definitions/a"},{"$ref":"#/definitions/a"},{"$ref":"#/definitions/a"},{"$ref":"#/definitions/a"},{"$ref":"#/definitions/a"}],"not":{}}}}`, 0, "none could be made up"},
		"of a schema of nothing":            {`{"not":{}}`, 0, "none could be made up"},
	} {
		t.Run("no example "+name, func(t *testing.T) {
			t.Parallel()
			_, err := catalogue.Example([]byte(c.schema), c.index)
			require.ErrorContains(t, err, c.want)
		})
	}
}
