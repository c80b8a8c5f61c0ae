package devserver

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	persistencespb "go.temporal.io/server/api/persistence/v1"
	"go.temporal.io/server/common/persistence/serialization"
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/common/searchattribute/sadefs"
	sqliteschema "go.temporal.io/server/schema/sqlite"
	"google.golang.org/protobuf/types/known/durationpb"
)

// clusterName is what Temporal calls itself in a namespace's replication settings.
const clusterName = "active"

// namespacePartition is the one value that Temporal gives to namespaces.partition_id.
const namespacePartition = 54321

// registerNamespace writes the namespace with its retention and search attributes, before the server starts.
//
// Through the API it would take seconds until every service has noticed; written beforehand it is there at the first
// request. It returns the column of each search attribute.
func registerNamespace(ctx context.Context, tx *sql.Tx, o Options) (map[string]string, error) {
	detail, err := readNamespace(ctx, tx, o.Namespace)
	if err != nil {
		return nil, fmt.Errorf("reading namespace %s: %w", o.Namespace, err)
	}
	found := detail != nil
	if !found {
		fresh, err := sqliteschema.NewNamespaceConfig(clusterName, o.Namespace, false, nil)
		if err != nil {
			return nil, fmt.Errorf("namespace %s: %w", o.Namespace, err)
		}
		detail = fresh.Detail
	}

	columns, err := assignColumns(detail.Config.GetCustomSearchAttributeAliases(), o.SearchAttributes)
	if err != nil {
		return nil, fmt.Errorf("namespace %s: %w", o.Namespace, err)
	}
	detail.Config.CustomSearchAttributeAliases = make(map[string]string, len(columns))
	for name, column := range columns {
		detail.Config.CustomSearchAttributeAliases[column] = name
	}
	detail.Config.Retention = durationpb.New(o.Retention)

	if err := writeNamespace(ctx, tx, detail, found); err != nil {
		return nil, fmt.Errorf("writing namespace %s: %w", o.Namespace, err)
	}
	return columns, nil
}

// assignColumns gives each search attribute in want a column of its type, and keeps those that have one.
// aliases is the namespace's map of column to name.
func assignColumns(aliases map[string]string, want map[string]enums.IndexedValueType) (map[string]string, error) {
	available := sadefs.GetDBIndexSearchAttributes(nil).CustomSearchAttributes // column to type
	columns := make(map[string]string, len(want))
	for column, name := range aliases {
		columns[name] = column
	}
	// In order, so that the same options always lead to the same columns.
	free := slices.Sorted(maps.Keys(available))
	for _, name := range slices.Sorted(maps.Keys(want)) {
		valueType := want[name]
		if sadefs.IsReserved(name) {
			return nil, fmt.Errorf("search attribute %s: the name is reserved by Temporal", name)
		}
		if column, ok := columns[name]; ok {
			if available[column] != valueType {
				return nil, fmt.Errorf("search attribute %s: is registered as %s, wanted %s", name, available[column], valueType)
			}
			continue
		}
		i := slices.IndexFunc(free, func(column string) bool {
			_, taken := aliases[column]
			return !taken && available[column] == valueType
		})
		if i < 0 {
			return nil, fmt.Errorf("search attribute %s: no column of type %s is left", name, valueType)
		}
		columns[name] = free[i]
		free = slices.Delete(free, i, i+1)
	}
	return columns, nil
}

// readNamespace returns nil if there is no namespace of that name.
func readNamespace(ctx context.Context, tx *sql.Tx, name string) (*persistencespb.NamespaceDetail, error) {
	var data []byte
	var encoding string
	err := tx.QueryRowContext(ctx,
		`SELECT data, data_encoding FROM namespaces WHERE partition_id = ? AND name = ?`, namespacePartition, name).
		Scan(&data, &encoding)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	encodingType, err := enums.EncodingTypeFromString(encoding)
	if err != nil {
		return nil, err
	}
	return serialization.NewSerializer().NamespaceDetailFromBlob(&commonpb.DataBlob{EncodingType: encodingType, Data: data})
}

// writeNamespace inserts the namespace, or updates it if it was found.
func writeNamespace(ctx context.Context, tx *sql.Tx, detail *persistencespb.NamespaceDetail, found bool) error {
	blob, err := serialization.NewSerializer().NamespaceDetailToBlob(detail)
	if err != nil {
		return err
	}
	id, err := primitives.ParseUUID(detail.GetInfo().GetId())
	if err != nil {
		return err
	}
	encoding := blob.GetEncodingType().String()
	if found {
		_, err = tx.ExecContext(ctx, `UPDATE namespaces SET data = ?, data_encoding = ? WHERE partition_id = ? AND id = ?`,
			blob.GetData(), encoding, namespacePartition, id)
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO namespaces
		(partition_id, id, name, is_global, data, data_encoding, notification_version) VALUES (?, ?, ?, 0, ?, ?, 0)`,
		namespacePartition, id, detail.GetInfo().GetName(), blob.GetData(), encoding)
	return err
}
