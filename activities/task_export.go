package activities

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/base64"
	"fmt"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/catalogue"
	"github.com/posthorn/posthorn/internal/store"
)

type exporting = stepping[struct{}, struct{}, posthorn.ExportData]

// exportStep writes the catalogue as the organisation sees it: event types with feature flags included, archived ones not.
func (a *Activities) exportStep(ctx context.Context, s *exporting) (done bool, err error) {
	types, err := store.AllEventTypes(ctx, a.Store, s.Task.OrgID, store.EventTypeFilter{AnyFlag: true})
	if err != nil {
		return false, err
	}
	s.Data.Spec = catalogue.Export(types, true)
	archive, err := zipped("openapi.json", s.Data.Spec)
	if err != nil {
		return false, fmt.Errorf("compressing the catalogue of %s: %w", s.Task.OrgID, err)
	}
	s.Data.SchemaZip = "data:application/zip;base64," + base64.StdEncoding.EncodeToString(archive)
	return true, nil
}

// zipped is an archive of one file.
func zipped(name string, content []byte) ([]byte, error) {
	var archive bytes.Buffer
	w := zip.NewWriter(&archive)
	file, err := w.Create(name)
	if err != nil {
		return nil, err
	}
	if _, err := file.Write(content); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return archive.Bytes(), nil
}
