package store_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

type sqlState string

func (s sqlState) Error() string    { return "from the server" }
func (s sqlState) SQLState() string { return string(s) }

type resultCode int

func (c resultCode) Error() string { return "from the file" }
func (c resultCode) Code() int     { return int(c) }

func TestOutage(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		context.DeadlineExceeded, driver.ErrBadConn, &net.OpError{Op: "dial", Err: errors.New("refused")},
		sqlState("57P01"), sqlState("08006"), sqlState("53100"), sqlState("53300"), sqlState("40P01"),
		resultCode(13), resultCode(10 | 3<<8), resultCode(5),
	} {
		require.True(t, store.Outage(fmt.Errorf("writing: %w", err)), "%#v", err)
	}
	for _, err := range []error{
		nil, context.Canceled, errors.New("no such table"), sqlState("23505"), sqlState("42P01"), resultCode(1), resultCode(19),
		posthorn.Errorf(posthorn.NotFound, "there is none"),
	} {
		require.False(t, store.Outage(err), "%#v", err)
	}
}
