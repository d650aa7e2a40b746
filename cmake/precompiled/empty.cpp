// Belongs to a library that holds nothing but precompiled headers (cmake/Precompiled.cmake).
