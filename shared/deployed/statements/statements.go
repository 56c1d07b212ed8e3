// Package statements is which accounts' statements a deployed function holds
// against our books. An account that the settings do not name is not reconciled.
package statements

import (
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/deployed"
	"github.com/doudi-aid/doudi/shared/reconciliation"
	"github.com/doudi-aid/doudi/shared/seal"
)

// Books are the accounts, and whose business their lines are.
type Books struct {
	w       *deployed.World
	region  civil.DivisionCode
	sources reconciliation.Sources
}

// In is the accounts that the settings name.
func In(w *deployed.World) Books {
	s := w.Settings
	b := Books{w: w, region: civil.DivisionCode(s.Text("DOUDI_DIVISION") + "000000")}
	unit := reconciliation.Yuan
	if s.Has("DOUDI_STATEMENT_UNIT") {
		unit = reconciliation.Unit(s.Enum("DOUDI_STATEMENT_UNIT", string(reconciliation.Yuan), string(reconciliation.Fen)))
	}
	if s.Has("DOUDI_BANK_ACCOUNT") {
		b.sources = append(b.sources, reconciliation.BankSource(s.Text("DOUDI_BANK_ACCOUNT"), unit))
	}
	if s.Has("DOUDI_TREASURY_ACCOUNT") {
		treasury := reconciliation.TreasurySource(s.Text("DOUDI_TREASURY_ACCOUNT"), unit)
		treasury.ByHand = s.Has("DOUDI_TREASURY_BY_HAND") && s.Enum("DOUDI_TREASURY_BY_HAND", "yes", "no") == "yes"
		b.sources = append(b.sources, treasury)
	}
	if s.Has("DOUDI_WXPAY_MERCHANT") {
		b.sources = append(b.sources, reconciliation.WxPaySource(s.Text("DOUDI_WXPAY_MERCHANT")))
	}
	return b
}

// Sources are the accounts.
func (b Books) Sources() reconciliation.Sources { return b.sources }

// Office is who reconciles them.
func (b Books) Office(box *seal.Box) reconciliation.Office {
	return reconciliation.Office{Table: b.w.Table, Box: box, Sources: b.sources, Region: b.region, Now: b.w.Now}
}
