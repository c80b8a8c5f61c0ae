package catalogue

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"
)

// Parse reads a document in JSON or YAML. The error is for whoever wrote the document.
func Parse(text []byte) (any, error) {
	if document, err := decode(text); err == nil {
		return document, nil
	}
	var document any
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, fmt.Errorf("must be JSON or YAML: %w", err)
	}
	return asJSON(document, 0)
}

// asJSON turns what YAML can say into what JSON can.
func asJSON(value any, depth int) (any, error) {
	if depth > 1000 {
		return nil, errors.New("is nested too deeply")
	}
	switch v := value.(type) {
	case map[string]any:
		for key, item := range v {
			plain, err := asJSON(item, depth+1)
			if err != nil {
				return nil, err
			}
			v[key] = plain
		}
		return v, nil
	case map[any]any: // with keys such as 200
		m := make(map[string]any, len(v))
		for key, item := range v {
			plain, err := asJSON(item, depth+1)
			if err != nil {
				return nil, err
			}
			m[fmt.Sprint(key)] = plain
		}
		return m, nil
	case []any:
		for i, item := range v {
			plain, err := asJSON(item, depth+1)
			if err != nil {
				return nil, err
			}
			v[i] = plain
		}
		return v, nil
	case int, int64, uint64:
		return json.Number(fmt.Sprint(v)), nil
	case float64:
		if math.IsInf(v, 0) || math.IsNaN(v) {
			return nil, errors.New("has a number that JSON doesn't know")
		}
		return json.Number(strconv.FormatFloat(v, 'g', -1, 64)), nil
	case time.Time: // which an unquoted date is to YAML, and to nobody else
		if v.Equal(v.Truncate(24 * time.Hour)) {
			return v.Format(time.DateOnly), nil
		}
		return v.Format(time.RFC3339Nano), nil
	default:
		return v, nil
	}
}
