package sqlstore

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
)

// TestOutcome compares what Go makes of an attempt with what the database does.
func TestOutcome(t *testing.T) {
	t.Parallel()
	s := open(t)
	for _, success := range []bool{true, false} {
		for _, status := range []int{0, 99, 100, 199, 200, 204, 301, 404, 500, 599, 600, 999} {
			if success && status/100 != 2 {
				continue
			}
			a := posthorn.Attempt{ID: fmt.Sprintf("atm_%d_%t", status, success), MessageID: "msg", Success: success, Status: status}
			_, err := s.Exec(t.Context(), "INSERT INTO attempt ("+attemptColumns+") VALUES ("+placeholders(attemptColumns)+")", attemptFields(&a)...)
			require.NoError(t, err)
			var stored int
			require.NoError(t, s.row(t.Context(), []any{&stored}, "SELECT outcome FROM attempt WHERE id = ?", a.ID))
			require.Equal(t, outcomeOf(&a), stored, a.ID)
		}
	}
}
