module alignsae/client

go 1.21
