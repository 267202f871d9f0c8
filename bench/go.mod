module github.com/keepsake-cache/keepsake/bench

go 1.26

require (
	github.com/alexedwards/scs/v2 v2.9.0
	github.com/gorilla/sessions v1.4.0
	github.com/keepsake-cache/keepsake v0.0.0
)

require (
	github.com/StackExchange/wmi v0.0.0-20190523213315-cbe66965904d // indirect
	github.com/bradfitz/gomemcache v0.0.0-20260422231931-4d751bb6e37c // indirect
	github.com/fxamacker/cbor/v2 v2.9.6 // indirect
	github.com/go-ole/go-ole v1.2.4 // indirect
	github.com/gorilla/securecookie v1.1.2 // indirect
	github.com/hazelcast/hazelcast-go-client v1.5.0 // indirect
	github.com/shirou/gopsutil/v3 v3.21.5 // indirect
	github.com/tklauser/go-sysconf v0.3.4 // indirect
	github.com/tklauser/numcpus v0.2.1 // indirect
	github.com/x448/float16 v0.8.4 // indirect
	go.yaml.in/yaml/v4 v4.0.0 // indirect
	golang.org/x/sys v0.47.0 // indirect
)

replace github.com/keepsake-cache/keepsake => ../
