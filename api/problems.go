package api

import (
	"errors"
	"net/http"
	"slices"

	"github.com/posthorn/posthorn"
)

// problems joins what is wrong with an input, so that the caller hears of all of it at once. Of several problems with one
// field the first is told. An error of another kind is returned alone; nil if there is none.
func problems(errs ...error) error {
	var items []validationErrorItem
	for _, err := range errs {
		if err == nil {
			continue
		}
		found, ok := validationItems(err)
		if !ok {
			return err
		}
		for _, item := range found {
			known := func(other validationErrorItem) bool { return slices.Equal(other.Loc, item.Loc) }
			if !slices.ContainsFunc(items, known) {
				items = append(items, item)
			}
		}
	}
	if items == nil {
		return nil
	}
	return invalid(items...)
}

// validationItems returns the items of an error that is about the input.
func validationItems(err error) ([]validationErrorItem, bool) {
	if f, ok := errors.AsType[*failure](err); ok {
		body, ok := f.body.(httpValidationError)
		return body.Detail, ok && f.status == http.StatusUnprocessableEntity
	}
	if e, ok := errors.AsType[*posthorn.Error](err); ok && e.Code == posthorn.Invalid {
		return []validationErrorItem{{Loc: location(e.Field), Msg: e.Message, Type: typeValue}}, true
	}
	return nil, false
}

// within moves an error about a part of the body, which calls that part body, to where it is.
func within(part string, err error) error {
	items, ok := validationItems(err)
	if !ok || part == "body" {
		return err
	}
	moved := slices.Clone(items)
	for i := range moved {
		if rest := moved[i].Loc; len(rest) > 0 && rest[0] == "body" {
			moved[i].Loc = append(location(part), rest[1:]...)
		}
	}
	return invalid(moved...)
}
