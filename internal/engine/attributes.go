package engine

import (
	"maps"
	"slices"

	"go.temporal.io/api/enums/v1"

	"github.com/posthorn/posthorn/workflows"
)

// SearchAttributes are those that Posthorn's workflows carry, with their types.
func SearchAttributes() map[string]enums.IndexedValueType {
	return map[string]enums.IndexedValueType{
		workflows.ApplicationAttribute.GetName():   enums.INDEXED_VALUE_TYPE_KEYWORD,
		workflows.EventTypeAttribute.GetName():     enums.INDEXED_VALUE_TYPE_KEYWORD,
		workflows.DeliveryStateAttribute.GetName(): enums.INDEXED_VALUE_TYPE_KEYWORD,
		workflows.OpenEndpointsAttribute.GetName(): enums.INDEXED_VALUE_TYPE_KEYWORD_LIST,
	}
}

// missing returns the names of SearchAttributes that are not among those there are, in order.
func missing(there map[string]enums.IndexedValueType) (names []string) {
	for _, name := range slices.Sorted(maps.Keys(SearchAttributes())) {
		if _, ok := there[name]; !ok {
			names = append(names, name)
		}
	}
	return names
}
