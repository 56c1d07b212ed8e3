package model

// concentration: the same approver keeps approving money to the same account.
var concentration = Kind{Name: "concentration", Title: Words{"同一审批人反复批给同一账户", "The same approver and the same account again and again"},
	Figures: []Bounds{{"awards", 2, 50, "awards"}, {"days", 1, 1000, "days"}},
	run: func(m Model, f Facts) []Hit {
		n := 1 // this one
		for _, days := range f.Pair.Awards {
			if days <= m.figure("days") {
				n++
			}
		}
		if n < m.figure("awards") {
			return nil
		}
		return []Hit{hit("pair", "同一审批人在%[1]d天内第%[2]d次批准把钱打到这个账户。请由未参与的人复核。",
			"Within %[1]d days this is award %[2]d by the same approver to this account. Somebody who had no part in it should look.", m.figure("days"), n)}
	}}
