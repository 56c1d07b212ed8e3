package model

// manyPeople: one account, telephone, device or filing account serves many people.
var manyPeople = Kind{Name: "many_people", Title: Words{"一个账户、电话或设备为多人所用", "One account, telephone or device for many people"},
	Figures: []Bounds{{"others", 1, 50, "people"}, {"days", 1, 1000, "days"}}, Lists: []Choice{{"things", Things(), false}},
	run: func(m Model, f Facts) (hits []Hit) {
		for _, s := range f.Shared {
			for _, thing := range m.Lists["things"] {
				if s.Kind == thing && s.Others >= m.figure("others") && s.Days <= m.figure("days") {
					hits = append(hits, hit("shared/"+thing, "这份申请的"+thingNames[thing].Zh+"还用在另外%d个受助人身上。请确认受助人本人知道、钱到本人手里。",
						"The "+thingNames[thing].En+" of this application also served %d other people. Make sure that the person knows and gets the money.", s.Others))
				}
			}
		}
		return hits
	}}

var thingNames = map[string]Words{Account: {"收款账户", "account"}, GuardianAccount: {"监护人代收账户", "guardian's account"}, Phone: {"联系电话", "telephone"}, Device: {"手机", "device"}, Filer: {"微信账号", "WeChat account"}}
