package configtree

import "strings"

// Nearest returns the name that a misspelt one most likely stands for, or nothing.
func Nearest(misspelt string, names []string) string {
	if len(misspelt) > maxNameBytes {
		return ""
	}
	best, least := "", min(2, len(misspelt)/2)+1
	for _, name := range names {
		d := distance(strings.ToLower(misspelt), strings.ToLower(name))
		if d < least {
			best, least = name, d
		}
	}
	return best
}

// distance counts the letters to insert, remove, replace or exchange with their
// neighbour to make b of a.
//
// Optimal string alignment: R. A. Wagner, R. Lowrance, "An Extension of the String-to-String
// Correction Problem", 1975, without their edits between exchanged letters.
func distance(a, b string) int {
	var before, above []int // the rows for i-2 and i-1 letters of a
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, above, row = above, row, make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			replaced := above[j-1]
			if a[i-1] != b[j-1] {
				replaced++
			}
			row[j] = min(above[j]+1, row[j-1]+1, replaced)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}

// OrList reads "a, b or c".
func OrList(names []string) string {
	last := len(names) - 1
	if last < 1 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:last], ", ") + " or " + names[last]
}
