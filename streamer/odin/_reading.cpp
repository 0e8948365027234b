// What streamer/odin/tick.py's read_ticks_plainly does, compiled: the ticks of a whole body at once.
//
// The plain reader is the authority; whatever bytes both are given, they return the same. The
// expression of a text there is followed here field by field. Each instrument keeps the text of
// its newest day, so that a day which says nothing new is not read again.

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <unordered_map>

namespace {

// Of what Python code calls here; a build of another form is not used.
constexpr int FORM = 1;

constexpr size_t MAX_DIGITS = 18;
constexpr int64_t MAX_ID = 2147483647;
constexpr size_t HEADER_BYTES = 6;
constexpr size_t MAX_INSTRUMENTS = 1 << 16;
constexpr size_t DAY_VALUES = 7;
constexpr size_t STAMP_BYTES = 17;
constexpr size_t HEADER_STAMP_BYTES = 15;

// A reference that is given back when it is overwritten or goes out of sight.
class Owned {
public:
    explicit Owned(PyObject* object = nullptr) : object_(object) {}
    Owned(Owned&& other) noexcept : object_(other.release()) {}
    Owned& operator=(Owned&& other) noexcept {
        PyObject* before = object_;
        object_ = other.release();
        Py_XDECREF(before);
        return *this;
    }
    Owned(const Owned&) = delete;
    Owned& operator=(const Owned&) = delete;
    ~Owned() { Py_XDECREF(object_); }
    PyObject* get() const { return object_; }
    explicit operator bool() const { return object_ != nullptr; }
    PyObject* release() {
        PyObject* object = object_;
        object_ = nullptr;
        return object;
    }

private:
    PyObject* object_;
};

struct Span {
    const char* data = nullptr;
    size_t size = 0;
};

// A text of at most Capacity bytes and what it was read as.
template <size_t Capacity>
struct Kept {
    char text[Capacity];
    size_t size = 0;
    Owned value;

    bool is(Span span) const {
        return value && size == span.size && std::memcmp(text, span.data, size) == 0;
    }
    void keep(Span span, Owned read) {
        size = span.size;
        std::memcpy(text, span.data, size);
        value = std::move(read);
    }
};

constexpr size_t DAY_BYTES = 7 * (MAX_DIGITS + sizeof("|399=") - 1);

struct Instrument {
    Owned key;
    Kept<DAY_BYTES> day;
};

// One text in our own layout.
struct Row {
    int64_t declared;
    Span sent, lut, ltt, day;
    int64_t segment, token, volume, ltp;
    int64_t of_day[DAY_VALUES];
};

bool is_digit(char byte) { return byte >= '0' && byte <= '9'; }

// Walks along a text; each step says whether the text goes on as wanted.
class Cursor {
public:
    Cursor(const char* at, const char* end) : at_(at), end_(end) {}

    const char* at() const { return at_; }

    template <size_t Size>
    bool literal(const char (&wanted)[Size]) {
        if (static_cast<size_t>(end_ - at_) < Size - 1 || std::memcmp(at_, wanted, Size - 1) != 0) {
            return false;
        }
        at_ += Size - 1;
        return true;
    }

    // Anything but a bar, at least one byte.
    bool any() {
        const char* began = at_;
        while (at_ != end_ && *at_ != '|') {
            ++at_;
        }
        return at_ != began;
    }

    bool fixed(Span& found, size_t size) {
        if (static_cast<size_t>(end_ - at_) < size || std::memchr(at_, '|', size) != nullptr) {
            return false;
        }
        found = {at_, size};
        at_ += size;
        return true;
    }

    bool number(int64_t& found, size_t most = MAX_DIGITS) {
        const char* began = at_;
        int64_t value = 0;
        while (at_ != end_ && is_digit(*at_) && static_cast<size_t>(at_ - began) < most) {
            value = value * 10 + (*at_++ - '0');
        }
        found = value;
        return at_ != began;
    }

    // A power of ten, up to the ninth.
    bool locator(int64_t& found) {
        if (at_ == end_ || *at_ != '1') {
            return false;
        }
        ++at_;
        int64_t value = 1;
        for (int zeros = 0; zeros < 9 && at_ != end_ && *at_ == '0'; ++zeros, ++at_) {
            value *= 10;
        }
        found = value;
        return true;
    }

    // The printable rest of a text, up to the next text or the end.
    bool rest() {
        while (at_ != end_ && *at_ >= ' ' && *at_ <= '~' && *at_ != '|') {
            ++at_;
        }
        return at_ == end_ || *at_ == '\x02';
    }

private:
    const char* at_;
    const char* end_;
};

bool length(const char* at, const char* end, int64_t& found) {
    Cursor cursor(at + 1, end);
    return cursor.number(found, 5) && cursor.at() == at + HEADER_BYTES;
}

// Reads a text that begins behind its header; `at` is moved behind it.
bool read_row(const char*& at, const char* end, Row& row) {
    Cursor text(at, end);
    const char* began = nullptr;
    const bool is_ours =
        text.literal("63=FT3.0|64=209|65=") && text.any()
        && text.literal("|66=") && text.fixed(row.sent, HEADER_STAMP_BYTES)
        && text.literal("|1=") && text.number(row.segment)
        && text.literal("|73=") && text.fixed(row.ltt, STAMP_BYTES)
        && text.literal("|7=") && text.number(row.token)
        && text.literal("|79=") && text.number(row.volume)
        && text.literal("|8=") && text.number(row.ltp)
        && text.literal("|54=") && text.any()
        && text.literal("|9=") && text.any()
        && text.literal("|80=") && text.any()
        && text.literal("|74=") && text.fixed(row.lut, STAMP_BYTES)
        && text.literal("|2=") && text.any()
        && text.literal("|3=") && text.any()
        && text.literal("|5=") && text.any()
        && text.literal("|6=") && text.any()
        && text.literal("|81=") && text.any()
        && text.literal("|82=") && text.any()
        && (began = text.at()) != nullptr
        && text.literal("|76=") && text.number(row.of_day[0])
        && text.literal("|75=") && text.number(row.of_day[1])
        && text.literal("|77=") && text.number(row.of_day[2])
        && text.literal("|78=") && text.number(row.of_day[3])
        && text.literal("|399=") && text.locator(row.of_day[4])
        && text.literal("|93=") && text.number(row.of_day[5])
        && text.literal("|94=") && text.number(row.of_day[6]);
    if (!is_ours) {
        return false;
    }
    row.day = {began, static_cast<size_t>(text.at() - began)};
    if (!(text.literal("|88=") && text.any() && text.literal("|393=") && text.any()
          && text.literal("|380=") && text.rest())) {
        return false;
    }
    at = text.at();
    return true;
}

// Reads body after body; remembers what instruments said last, and the newest times.
class Reader {
public:
    Reader(PyObject* tick, PyObject* ticks, PyObject* day, PyObject* parse_stamp)
        : tick_(Py_NewRef(tick)), ticks_(Py_NewRef(ticks)), day_(Py_NewRef(day)),
          parse_stamp_(Py_NewRef(parse_stamp)) {}

    // A new reference; null with an exception set.
    PyObject* read(const char* at, const char* end) {
        // Allocating may run whatever collects garbage, and so come here again.
        if (is_busy_) {
            Py_RETURN_NONE;
        }
        const Busy busy(is_busy_);
        return read_alone(at, end);
    }

private:
    struct Busy {
        explicit Busy(bool& flag) : flag(flag) { flag = true; }
        ~Busy() { flag = false; }
        bool& flag;
    };

    PyObject* read_alone(const char* at, const char* end) {
        Owned found(PyList_New(0));
        if (!found) {
            return nullptr;
        }
        const int64_t wanted = end - at;
        int64_t size = 0;
        PyObject* together = nullptr;
        while ((at = static_cast<const char*>(std::memchr(at, '\x02', end - at))) != nullptr) {
            int64_t declared = 0;
            if (!length(at, end, declared)) {
                ++at;
                continue;
            }
            at += HEADER_BYTES;
            size += HEADER_BYTES;
            Row row;
            if (read_row(at, end, row)) {
                size += declared;
                if (row.segment < 1 || row.segment > MAX_ID || row.token < 1 || row.token > MAX_ID) {
                    Py_RETURN_NONE;
                }
                if (together == nullptr || !sent_.is(row.sent)) {
                    Owned sent = time(sent_, row.sent);
                    Owned list(PyList_New(0));
                    if (!sent || !list) {
                        return nullptr;
                    }
                    PyObject* of[] = {sent.get(), list.get()};
                    Owned ticks(PyObject_Vectorcall(ticks_.get(), of, 2, nullptr));
                    if (!ticks || PyList_Append(found.get(), ticks.get()) < 0) {
                        return nullptr;
                    }
                    together = list.get();  // Held by `ticks`, which `found` holds.
                }
                if (!add(together, row)) {
                    return nullptr;
                }
                continue;
            }
            const void* next = std::memchr(at, '\x02', end - at);
            const char* other_end = next == nullptr ? end : static_cast<const char*>(next);
            if (declared != other_end - at) {
                Py_RETURN_NONE;
            }
            size += declared;
            Owned other(PyBytes_FromStringAndSize(at, other_end - at));
            if (!other || PyList_Append(found.get(), other.get()) < 0) {
                return nullptr;
            }
            together = nullptr;
            at = other_end;
        }
        if (size != wanted) {
            Py_RETURN_NONE;
        }
        return found.release();
    }

    bool add(PyObject* together, const Row& row) {
        Instrument* instrument = known(row);
        if (instrument == nullptr) {
            return false;
        }
        if (!instrument->day.is(row.day)) {
            Owned day = day_of(row);
            if (!day) {
                return false;
            }
            instrument->day.keep(row.day, std::move(day));
        }
        Owned moment = time(lut_, row.lut);
        if (moment && PyObject_IsTrue(moment.get()) == 0) {
            moment = time(ltt_, row.ltt);
        }
        Owned ltp(PyLong_FromLongLong(row.ltp));
        Owned volume(PyLong_FromLongLong(row.volume));
        if (!moment || !ltp || !volume) {
            return false;
        }
        PyObject* of[] = {instrument->key.get(), sent_.value.get(), ltp.get(),
                          volume.get(), moment.get(), instrument->day.value.get()};
        Owned tick(PyObject_Vectorcall(tick_.get(), of, 6, nullptr));
        return tick && PyList_Append(together, tick.get()) == 0;
    }

    Instrument* known(const Row& row) {
        const uint64_t identity =
            static_cast<uint64_t>(row.segment) << 32 | static_cast<uint64_t>(row.token);
        auto found = instruments_.find(identity);
        if (found != instruments_.end()) {
            return found->second.get();
        }
        Owned key(Py_BuildValue("(LL)", static_cast<long long>(row.segment),
                                static_cast<long long>(row.token)));
        if (!key) {
            return nullptr;
        }
        if (instruments_.size() >= MAX_INSTRUMENTS) {
            instruments_.clear();
        }
        auto instrument = std::make_unique<Instrument>();
        instrument->key = std::move(key);
        return instruments_.emplace(identity, std::move(instrument)).first->second.get();
    }

    Owned day_of(const Row& row) {
        Owned values[DAY_VALUES];
        PyObject* of[DAY_VALUES];
        for (size_t n = 0; n < DAY_VALUES; ++n) {
            values[n] = Owned(PyLong_FromLongLong(row.of_day[n]));
            if (!values[n]) {
                return Owned();
            }
            of[n] = values[n].get();
        }
        return Owned(PyObject_Vectorcall(day_.get(), of, DAY_VALUES, nullptr));
    }

    // What a stamp says, by the one function that reads them; neighbours mostly have the same.
    template <size_t Capacity>
    Owned time(Kept<Capacity>& kept, Span stamp) {
        if (!kept.is(stamp)) {
            Owned text(PyBytes_FromStringAndSize(stamp.data, stamp.size));
            if (!text) {
                return Owned();
            }
            Owned read(PyObject_CallOneArg(parse_stamp_.get(), text.get()));
            if (!read) {
                return Owned();
            }
            kept.keep(stamp, std::move(read));
        }
        return Owned(Py_NewRef(kept.value.get()));
    }

    Owned tick_, ticks_, day_, parse_stamp_;
    std::unordered_map<uint64_t, std::unique_ptr<Instrument>> instruments_;
    Kept<HEADER_STAMP_BYTES> sent_;
    Kept<STAMP_BYTES> lut_, ltt_;
    bool is_busy_ = false;
};

struct ReaderObject {
    PyObject_HEAD
    Reader* reader;
};

PyObject* reader_new(PyTypeObject* type, PyObject* arguments, PyObject* named) {
    static const char* names[] = {"tick", "ticks", "day", "parse_stamp", nullptr};
    PyObject *tick, *ticks, *day, *parse_stamp;
    if (!PyArg_ParseTupleAndKeywords(arguments, named, "OOOO", const_cast<char**>(names), &tick,
                                     &ticks, &day, &parse_stamp)) {
        return nullptr;
    }
    auto* self = reinterpret_cast<ReaderObject*>(type->tp_alloc(type, 0));
    if (self != nullptr) {
        self->reader = new Reader(tick, ticks, day, parse_stamp);
    }
    return reinterpret_cast<PyObject*>(self);
}

void reader_free(PyObject* self) {
    PyTypeObject* type = Py_TYPE(self);
    delete reinterpret_cast<ReaderObject*>(self)->reader;
    type->tp_free(self);
    Py_DECREF(type);
}

PyObject* reader_read(PyObject* self, PyObject* body) {
    if (!PyBytes_Check(body)) {
        return PyErr_Format(PyExc_TypeError, "found a body of type %s, expected bytes",
                            Py_TYPE(body)->tp_name);
    }
    const char* began = PyBytes_AS_STRING(body);
    try {
        return reinterpret_cast<ReaderObject*>(self)->reader->read(
            began, began + PyBytes_GET_SIZE(body));
    } catch (const std::bad_alloc&) {
        return PyErr_NoMemory();
    }
}

PyMethodDef reader_methods[] = {
    {"read", reader_read, METH_O, "Return the ticks of a body, and other texts, in order."},
    {nullptr, nullptr, 0, nullptr},
};

PyType_Slot reader_slots[] = {
    {Py_tp_new, reinterpret_cast<void*>(reader_new)},
    {Py_tp_dealloc, reinterpret_cast<void*>(reader_free)},
    {Py_tp_methods, reader_methods},
    {Py_tp_doc, const_cast<char*>("Reads the touchlines of whole bodies as ticks.")},
    {0, nullptr},
};

PyType_Spec reader_spec = {
    "streamer.odin._reading.TickReader", sizeof(ReaderObject), 0, Py_TPFLAGS_DEFAULT, reader_slots,
};

int module_exec(PyObject* module) {
    Owned type(PyType_FromSpec(&reader_spec));
    if (!type || PyModule_AddObjectRef(module, "TickReader", type.get()) < 0) {
        return -1;
    }
    return PyModule_AddIntConstant(module, "FORM", FORM);
}

PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, reinterpret_cast<void*>(module_exec)},
    {0, nullptr},
};

PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT, "_reading", "Bodies of texts to ticks, compiled.", 0, nullptr,
    module_slots, nullptr, nullptr, nullptr,
};

}  // namespace

PyMODINIT_FUNC PyInit__reading() { return PyModuleDef_Init(&module_definition); }
