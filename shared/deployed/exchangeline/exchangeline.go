// Package exchangeline is the deployed line to the government data-sharing
// exchange.
package exchangeline

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/doudi-aid/doudi/shared/deployed"
	"github.com/doudi-aid/doudi/shared/deployed/secrets"
	"github.com/doudi-aid/doudi/shared/exchange"
)

// secret is what the operator puts into the exchange's secret. Bytes are base64.
type secret struct {
	App        string            `json:"app"`
	KeyID      string            `json:"key_id"`
	Key        []byte            `json:"key"`
	AnswerKeys map[string][]byte `json:"answer_keys"`
}

// Open is the client of the exchange.
func Open(ctx context.Context, w *deployed.World) (*exchange.Client, error) {
	base := w.Settings.URL("DOUDI_EXCHANGE_URL")
	s, err := secrets.Read[secret](ctx, w, "DOUDI_EXCHANGE_SECRET")
	if err != nil {
		return nil, err
	}
	return exchange.New(exchange.Config{BaseURL: base.String(), HTTP: w.HTTP, App: s.App, KeyID: s.KeyID, Key: s.Key,
		AnswerKeys: s.AnswerKeys, Now: w.Now, Random: rand.Reader, Sleep: sleep})
}

// sleep waits for d, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
