package decide

import (
	"context"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/table"
)

// answered is the answer that a request about one thing got before, as the
// thing's events keep it; without a body when the request is new.
func answered[Out any](ctx context.Context, d Deps, partition, noun, id string, r httpapi.Request) (httpapi.Reply[Out], error) {
	var none httpapi.Reply[Out]
	page, err := d.Table.Query(ctx, table.Query{PK: partition}.Prefix(event.Prefix+noun+"#"+id+"#"))
	if err != nil {
		return none, err
	}
	for _, item := range page.Items {
		e, err := event.Decode(item)
		if err != nil {
			return none, err
		}
		if e.Request == nil || e.Request.Key != r.RequestKey() {
			continue
		}
		if e.Request.Digest != d.Blind.Ref("request", r.Digest()) {
			return none, application.ErrReused
		}
		return httpapi.Again[Out](e.Request.Status, e.Request.Answer), nil
	}
	return none, nil
}
