package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// formats is how bodies are read and written: as JSON, with whole numbers in any spelling. To JSON Schema 5, 5.0 and 5e0
// are the same integer, and some languages write them so; encoding/json takes the first only.
func formats() map[string]huma.Format {
	all := maps.Clone(huma.DefaultFormats)
	format := all[jsonType]
	format.Unmarshal = readJSON
	all[jsonType], all["json"] = format, format
	return all
}

func readJSON(data []byte, v any) error {
	err := json.Unmarshal(data, v)
	wrong, ok := errors.AsType[*json.UnmarshalTypeError](err)
	if !ok {
		return err
	}
	if strings.HasPrefix(wrong.Value, "number") {
		if respelled, changed := spellWhole(data); changed {
			return readJSON(respelled, v)
		}
	}
	return fmt.Errorf("%s can't be a JSON %s", wrong.Field, wrong.Value) // the original names types of this program
}

// spellWhole writes whole numbers without fraction and exponent, and reports whether there were any to change.
func spellWhole(data []byte) ([]byte, bool) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, false
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, false
	}
	value, changed := whole(value)
	if !changed {
		return nil, false
	}
	respelled, err := json.Marshal(value)
	return respelled, err == nil
}

func whole(value any) (any, bool) {
	changed := false
	switch v := value.(type) {
	case map[string]any:
		for name, part := range v {
			part, partChanged := whole(part)
			v[name], changed = part, changed || partChanged
		}
	case []any:
		for i, part := range v {
			part, partChanged := whole(part)
			v[i], changed = part, changed || partChanged
		}
	case json.Number:
		f, err := v.Float64()
		if err == nil && strings.ContainsAny(v.String(), ".eE") && f == math.Trunc(f) && math.Abs(f) <= 1<<53 {
			return json.Number(strconv.FormatInt(int64(f), 10)), true
		}
	}
	return value, changed
}
