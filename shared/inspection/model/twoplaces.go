package model

// twoPlaces: the same person asks, or was helped for the same cause, in another place.
var twoPlaces = Kind{Name: "two_places", Title: Words{"同一人在两地申请或领取", "The same person in two places"},
	Figures: []Bounds{{"townships", 1, 10, "townships"}, {"months", 1, 12, "months"}},
	run: func(m Model, f Facts) (hits []Hit) {
		e := f.Elsewhere
		if e.Townships >= m.figure("townships") {
			hits = append(hits, hit("elsewhere/open", "同一个人在另外%d个乡镇（街道）还有没办完的申请。请与那边联系，只办一份。",
				"The same person has unfinished applications in %d other townships. Speak to them; one is enough.", e.Townships))
		}
		if e.Registered == Yes && e.MonthsAgo <= m.figure("months") {
			hits = append(hits, hit("elsewhere/aided", "临时救助记录显示，%d个月前别处已就同一事由救助过这个人。请核实是否同一件事。",
				"The relief record says that another place helped this person for the same cause %d months ago. Find out whether it is the same event.", e.MonthsAgo))
		}
		return hits
	}}
