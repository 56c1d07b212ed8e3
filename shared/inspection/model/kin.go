package model

// kin: somebody here is a declared near relative of staff (近亲属备案).
var kin = Kind{Name: "kin", Title: Words{"工作人员近亲属", "Near relatives of staff"},
	run: func(_ Model, f Facts) []Hit {
		if f.KinOfStaff == 0 {
			return nil
		}
		return []Hit{hit("kin", "有%d名工作人员备案为这份申请中人员的近亲属。已回避的正常办理，由监督抽查是否公正。",
			"%d members of staff declared somebody here as near relative. It goes on while they stand back; supervision looks whether it was fair.", f.KinOfStaff)}
	}}
