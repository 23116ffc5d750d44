import cython

cdef double _RADIAN, _SCORES, _CELLS, _WEST, _WIDTH, _SOUTH, _HEIGHT, _EAST, _NORTH, _EARTH_M, _CAUTION
cdef bytes _EVEN
cdef unsigned long long _LOW_BITS, _ODD_BITS, _EVEN_BITS

cdef class Measure:
    cdef public double longitude, latitude
    cpdef double distance(self, double longitude, double latitude) except? -2

cdef class Circle(Measure):
    cdef public double radius_m, x, y, north, high_m
    @cython.locals(phi=double, apart_m=double, v=double, u=double)
    cpdef double distance(self, double longitude, double latitude) except? -2

cdef class Box(Measure):
    cdef public double aside_m, up_m
    cpdef double distance(self, double longitude, double latitude) except? -2

cdef unsigned long long _spread(unsigned long long number) noexcept
@cython.locals(a=cython.ulonglong, b=cython.ulonglong, c=cython.ulonglong, d=cython.ulonglong)
cdef unsigned long long _gather(unsigned long long bits) except? 7
cdef double _longitude_at(double x, int step) noexcept
cdef double _latitude_at(double y, int step) noexcept
cpdef unsigned long long score_bits(double score) except? 7
@cython.locals(bits=cython.ulonglong)
cpdef tuple decode(double score)
@cython.locals(x=cython.ulonglong, west=double, east=double, longitude=double)
cpdef double longitude_of(unsigned long long bits) except? -1
@cython.locals(y=cython.ulonglong, south=double, north=double, latitude=double)
cpdef double latitude_of(unsigned long long bits) except? -1
cdef double _north_south(double latitude, double other) noexcept
@cython.locals(v=double, lat1=double, lat2=double, u=double, a=double)
cpdef double distance(double x1, double y1, double x2, double y2) except? -2
@cython.locals(
    one=cython.ulonglong, mask=cython.ulonglong, x=cython.ulonglong, y=cython.ulonglong, x_fill=cython.ulonglong,
    y_fill=cython.ulonglong,
)
cdef unsigned long long _moved(unsigned long long bits, int step, int east, int north) noexcept
@cython.locals(
    step=int, bits=cython.ulonglong, x=cython.ulonglong, y=cython.ulonglong, without_west=bint, without_east=bint,
    without_south=bint, without_north=bint, found=list, number=int, east=int, north=int, other=cython.ulonglong,
)
cdef tuple _around(object shape)
cdef bint _covered(unsigned long long bits, int step, object bounds) except -1
@cython.locals(longitude=double, latitude=double, low=double, high=double, x=double, y=double)
cpdef unsigned long long encode(object place, int step, object latitudes=*) except? 7
cpdef int estimate_step(double reach_m, double latitude) except -9
