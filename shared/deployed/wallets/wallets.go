// Package wallets says whether the region of a deployed stack pays into WeChat
// wallets. Whoever decides asks it; only those that pay have the line.
package wallets

import (
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/deployed"
	"github.com/doudi-aid/doudi/shared/division"
)

// In reports, township by township, whether the stack's region pays into wallets.
func In(w *deployed.World) func(civil.DivisionCode) bool {
	on, served := w.Settings.Enum("DOUDI_WXPAY", "no", "yes") == "yes", civil.DivisionCode(w.Settings.Text("DOUDI_DIVISION")+"000000")
	return func(township civil.DivisionCode) bool {
		if !on {
			return false
		}
		region, known := division.Shipped().Region(township)
		return known && region == served
	}
}
