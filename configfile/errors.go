package configfile

import (
	"errors"
	"fmt"
	"strings"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver/setting"
)

// An Error is one problem with a configuration. It never shows a secret.
type Error struct {
	// File is the document's name.
	File string
	// Line and Column count characters from 1. Zero: the problem has no place.
	Line, Column int
	// Path leads to the element or attribute from the root, such as
	// cacheManager[2].properties.servers. Entries of one name count from 1.
	Path string
	// Reason says what is wrong and what to do.
	Reason string

	cause error
}

// Error reads "file:line:column: path: reason", without what is not known.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", e.Line, e.Column)
	}
	for _, part := range []string{e.Path, e.Reason} {
		if part != "" && b.Len() > 0 {
			b.WriteString(": ")
		}
		b.WriteString(part)
	}
	return b.String()
}

// Unwrap returns the error behind the problem, such as the provider's own, or nil.
func (e *Error) Unwrap() error { return e.cause }

// Errors are all the problems of a file, in the order of their places.
type Errors []*Error

// Error has one line for each problem.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, one := range e {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the problems for errors.Is and errors.As.
func (e Errors) Unwrap() []error {
	errs := make([]error, len(e))
	for i, one := range e {
		errs[i] = one
	}
	return errs
}

// maxProblems bounds what is reported of a file that is not a configuration at all.
const maxProblems = 100

// A report collects the problems of a document.
type report struct {
	file     string
	nodes    int // of the document
	problems []problem
	others   Errors // problems that the providers found
	more     int    // problems beyond maxProblems
}

type problem struct {
	pos
	node   *node // its path is only known when the tree is complete
	reason string
}

// full reports, and counts, that there is no room for another problem.
func (r *report) full() bool {
	if len(r.problems) < maxProblems {
		return false
	}
	r.more++
	return true
}

func (r *report) add(at pos, n *node, format string, args ...any) {
	if r.full() {
		return
	}
	r.problems = append(r.problems, problem{at, n, shorten(fmt.Sprintf(format, args...), maxReasonBytes)})
}

// at reports a problem at the place of a node.
func (r *report) at(n *node, format string, args ...any) { r.add(n.place(), n, format, args...) }

// err returns the problems, or nil if there are none.
func (r *report) err() error {
	if len(r.problems) == 0 {
		return nil
	}
	var errs Errors
	for _, p := range r.problems {
		errs = append(errs, &Error{File: r.file, Line: p.line, Column: p.column, Path: p.node.path(), Reason: p.reason})
	}
	errs = append(errs, r.others...)
	errs.sort(r.file)
	if r.more > 0 {
		errs = append(errs, &Error{File: r.file, Reason: fmt.Sprintf("%d more problems are not shown", r.more)})
	}
	return errs
}

// blame returns the errors of another package as problems of what stands at n, or of the
// uri or property in it that they begin with, or of the provider's own file.
func blame(file string, n *node, uri string, err error) Errors {
	var errs Errors
	for _, one := range setting.Each(err, jcache.ErrInvalid) {
		var p *setting.Problem
		if errors.As(one, &p) && p.File != "" {
			errs = append(errs, &Error{File: p.File, Line: p.Line, Column: p.Column, Path: p.Path, Reason: p.Reason, cause: one})
			continue
		}
		at, reason := n, reasonOf(one)
		if name, rest, ok := strings.Cut(reason, ": "); ok && n.setting(name) != n {
			at, reason = n.setting(name), rest
		} else if uri != "" && strings.HasPrefix(reason, uri+":") || strings.HasPrefix(reason, "uri: ") {
			at, reason = n.child("uri"), strings.TrimPrefix(reason, "uri: ")
		}
		errs = append(errs, &Error{File: file, Line: at.place().line, Column: at.place().column, Path: at.path(), Reason: reason, cause: one})
	}
	return errs
}

// reasonOf returns an error's text in one line, without the name of a package in front.
func reasonOf(err error) string {
	text := strings.TrimPrefix(strings.TrimPrefix(err.Error(), "httpsession: "), "http: ")
	return strings.ReplaceAll(text, "\n", "; ")
}
