# Everything comes from Debian packages (scripts/install-deps); nothing is downloaded.

set(Boost_NO_BOOST_CMAKE OFF)
find_package(Boost 1.81 REQUIRED COMPONENTS url)
find_package(OpenSSL 3 REQUIRED)
find_package(Threads REQUIRED)
find_package(spdlog REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(simdjson REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(LibXml2 REQUIRED)
find_package(pugixml REQUIRED)
find_package(prometheus-cpp REQUIRED COMPONENTS core)
find_package(PkgConfig REQUIRED)
pkg_check_modules(SYSTEMD REQUIRED IMPORTED_TARGET libsystemd)
find_library(UNISTRING_LIBRARY unistring REQUIRED) # NFC and case of names; CLI11 is headers only
find_library(IDN2_LIBRARY idn2 REQUIRED) # domain names as A-labels
