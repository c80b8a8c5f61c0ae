package api

import (
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// queryList collects a list from the query in all spellings that Svix's clients use: a,b and repeated, name[]=a and
// name[1]=a.
func queryList(ctx huma.Context, name string) []string {
	var items []string
	u := ctx.URL()
	for spelling, values := range u.Query() {
		index, ok := strings.CutPrefix(spelling, name)
		if !ok || index != "" && (index[0] != '[' || index[len(index)-1] != ']') {
			continue
		}
		for _, v := range values {
			for item := range strings.SplitSeq(v, ",") {
				if item != "" {
					items = append(items, item)
				}
			}
		}
	}
	return items
}
