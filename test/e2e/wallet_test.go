package e2e

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/cmd/doudi/demo"
	"github.com/doudi-aid/doudi/cmd/doudi/local"
)

// TestIntoTheWallet: where the rail is switched on a whole case ends in the
// person's wallet, and elsewhere nobody can be paid that way.
func TestIntoTheWallet(t *testing.T) {
	s := start(t, func(o *local.Options) { o.WxPay = []string{"320400"} })
	for region, on := range map[string]bool{"320400": true, "511700": false} {
		var out bytes.Buffer
		ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
		err := demo.Run(ctx, demo.Options{URL: s.URL, Region: region, Wallet: true, Patient: time.Minute, Out: &out, HTTP: &http.Client{}})
		stop()
		switch {
		case on && err != nil:
			t.Errorf("%v\n%s", err, out.String())
		case on && !strings.Contains(out.String(), "确认收款"):
			t.Error(out.String())
		case !on && (err == nil || !strings.Contains(err.Error(), "no-wallet")):
			t.Errorf("%s: %v", region, err)
		}
	}
}
