package model

// joined: somebody who is no near kin of its head was registered in a household
// that draws minimum support, a short while ago (迁户套取). Whoever married into it,
// was born into it or came back to parents is near kin. Emergency aid is never held
// for it.
var joined = Kind{Name: "joined", Title: Words{"新迁入困难户领取待遇", "Joined a household that draws minimum support"},
	Figures: []Bounds{{"months", 1, 120, "months"}},
	Lists:   []Choice{{"schemes", Schemes(), false}},
	run: func(m Model, f Facts) (hits []Hit) {
		for _, p := range f.People {
			for _, s := range p.Schemes {
				if !m.names(s) || s.Joined != Yes || s.JoinedMonthsAgo >= m.figure("months") {
					continue
				}
				w := who(p)
				hits = append(hits, hit("joined/"+p.Role+"/"+s.Name,
					w.Zh+"在按户领取"+schemeNames[s.Name]+"，登记显示不到%d个月前才迁入这一户，与户主不是近亲。先救急，不影响这次救助；请核实是否共同生活。",
					"Draws "+s.Name+" by household: "+w.En+", who joined it less than %d months ago and is no near kin of its head. Help comes first and this aid goes on; find out whether they live together.", m.figure("months")))
			}
		}
		return hits
	}}
