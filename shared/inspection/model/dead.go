package model

// dead: the person helped, or whoever's account the money goes to, is recorded
// as having died.
var dead = Kind{Name: "dead", Title: Words{"收款人或求助人登记已去世", "The person helped or the payee is recorded as dead"},
	run: func(_ Model, f Facts) (hits []Hit) {
		for _, p := range f.People {
			if p.Deceased == Yes && (p.Subject || p.Holder) {
				w := who(p)
				hits = append(hits, Hit{"dead/" + p.Role, Words{
					"死亡和殡葬登记显示" + w.Zh + "已经去世，钱可能被别人领走。请联系核实；登记有误的，核实后立即发放。",
					"The registers of deaths and cremations say that " + w.En + " has died, so somebody else may draw the money. Ask; if the register errs, pay at once."}})
			}
		}
		return hits
	}}
