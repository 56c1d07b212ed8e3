package model

// payeeChanged: the account was changed a short while before the money leaves.
var payeeChanged = Kind{Name: "payee_changed", Title: Words{"付款前临时更换收款账户", "The account changed just before payment"},
	Figures: []Bounds{{"hours", 1, 240, "hours"}}, Lists: []Choice{{"by", []string{"citizen", "staff"}, false}},
	run: func(m Model, f Facts) []Hit {
		by := "citizen"
		if f.Payee.ByStaff {
			by = "staff"
		}
		for _, one := range m.Lists["by"] {
			if f.Payee.Changed && one == by && f.Payee.HoursAgo < m.figure("hours") {
				return []Hit{hit("payee", "收款账户在%d小时前更换过。请用原来的联系方式问本人是不是本人换的。",
					"The account was changed %d hours ago. Ask the person, by the contact known before, whether it was them.", f.Payee.HoursAgo)}
			}
		}
		return nil
	}}
