package decide

import (
	"context"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/httpapi"
)

// answered is the answer that a request about one thing got before, as the
// thing's events keep it; without a body when the request is new.
func answered[Out any](ctx context.Context, d Deps, partition, noun, id string, r httpapi.Request) (httpapi.Reply[Out], error) {
	var none httpapi.Reply[Out]
	asked, found, err := event.Asked(ctx, d.Table, partition, noun, id, r.RequestKey())
	if err != nil || !found {
		return none, err
	}
	if asked.Digest != d.Blind.Ref("request", r.Digest()) {
		return none, application.ErrReused
	}
	return httpapi.Again[Out](asked.Status, asked.Answer), nil
}
