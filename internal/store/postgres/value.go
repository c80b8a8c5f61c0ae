package postgres

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// parameters converts the parameters of a statement to the types of PostgreSQL.
func parameters(statement *pgconn.StatementDescription, args []any) ([]any, error) {
	if len(args) != len(statement.ParamOIDs) {
		return nil, fmt.Errorf("%d parameters are given of %d", len(args), len(statement.ParamOIDs))
	}
	converted := make([]any, len(args))
	for i, arg := range args {
		value, err := driver.DefaultParameterConverter.ConvertValue(arg)
		if err != nil {
			return nil, fmt.Errorf("parameter %d: %w", i+1, err)
		}
		converted[i] = parameter(statement.ParamOIDs[i], value)
	}
	return converted, nil
}

// parameter is a value as a column of some type takes it: SQLite's columns take any.
func parameter(oid uint32, value driver.Value) any {
	switch v := value.(type) {
	case string:
		return storable(v)
	case int64:
		if oid == pgtype.TextOID {
			return strconv.FormatInt(v, 10)
		}
	case []byte:
		if v == nil {
			return nil
		}
	}
	return value
}

// storable replaces what PostgreSQL can't have in a text.
func storable(s string) string {
	const replacement = "\uFFFD"
	return strings.ReplaceAll(strings.ToValidUTF8(s, replacement), "\x00", replacement)
}

// scan reads a value of a row into a destination of sqlstore.
func scan(types *pgtype.Map, field pgconn.FieldDescription, raw []byte, dest any) error {
	scanner, ok := dest.(sql.Scanner)
	if !ok {
		return types.Scan(field.DataTypeOID, field.Format, raw, dest)
	}
	if raw == nil {
		return scanner.Scan(nil)
	}
	known, ok := types.TypeForOID(field.DataTypeOID)
	if !ok {
		return fmt.Errorf("column %s has a type that is not known", field.Name)
	}
	value, err := known.Codec.DecodeDatabaseSQLValue(types, field.DataTypeOID, field.Format, raw)
	if err != nil {
		return err
	}
	return scanner.Scan(value)
}

// scanAll does so with all values of a row.
func scanAll(types *pgtype.Map, fields []pgconn.FieldDescription, row [][]byte, dest []any) error {
	if len(dest) != len(row) {
		return fmt.Errorf("%d columns are read of %d", len(dest), len(row))
	}
	for i, raw := range row {
		if err := scan(types, fields[i], raw, dest[i]); err != nil {
			return fmt.Errorf("column %s: %w", fields[i].Name, err)
		}
	}
	return nil
}
