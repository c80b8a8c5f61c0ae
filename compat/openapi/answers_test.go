package openapi_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// answers counts those of a run, by operation (a method and a path as in the document) and status.
type answers map[string]map[int]int

// readAnswers takes them from the report of a run, which has a line for each step of it.
func readAnswers(t *testing.T, file string) answers {
	t.Helper()
	report, err := os.Open(file)
	require.NoError(t, err)
	defer report.Close()
	all := answers{}
	for lines := json.NewDecoder(report); ; {
		var line struct {
			ScenarioFinished struct {
				Recorder struct {
					Cases map[string]struct {
						Value struct{ Method, Path string }
					}
					Interactions map[string]struct {
						Response *struct {
							Status int `json:"status_code"`
						}
					}
				}
			}
		}
		err := lines.Decode(&line)
		if errors.Is(err, io.EOF) {
			return all
		}
		require.NoError(t, err)
		recorded := line.ScenarioFinished.Recorder
		for id, interaction := range recorded.Interactions {
			if interaction.Response == nil {
				continue
			}
			request := recorded.Cases[id].Value
			operation := request.Method + " " + request.Path
			if all[operation] == nil {
				all[operation] = map[int]int{}
			}
			all[operation][interaction.Response.Status]++
		}
	}
}

func (a answers) successesOf(operation string) int {
	count := 0
	for status, n := range a[operation] {
		if status/100 == 2 {
			count += n
		}
	}
	return count
}

func (a answers) successes() int {
	count := 0
	for operation := range a {
		count += a.successesOf(operation)
	}
	return count
}

// mayNeverSucceed is how many operations may be without a success in a run with the organisation's token: those with three
// names in their path, which have to belong together, or with a body that few guesses fit.
const mayNeverSucceed = 15

// requireSuccess fails unless most operations of the document have succeeded: refusals alone say little about them.
func requireSuccess(t *testing.T, a answers, document []byte) {
	t.Helper()
	var whole struct {
		Paths map[string]map[string]any
	}
	require.NoError(t, json.Unmarshal(document, &whole))
	var without []string
	for path, item := range whole.Paths {
		for method := range item {
			operation := strings.ToUpper(method) + " " + path
			if a.successesOf(operation) == 0 {
				without = append(without, fmt.Sprintf("%s: %v", operation, a[operation]))
			}
		}
	}
	slices.Sort(without)
	t.Logf("%d operations never succeeded:\n%s", len(without), strings.Join(without, "\n"))
	require.LessOrEqual(t, len(without), mayNeverSucceed)
}
