// What streamer/quotes.py's Quote.market_data and streamer/outbox.py's text_frame do, compiled: the
// WebSocket frame of one market_data message.
//
// The plain spelling is the authority; whatever quote both are given, they spell the same bytes.
// What seldom changes of an instrument lies in one piece of memory, since that of thousands of
// instruments is not in the processor's caches.

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <new>
#include <string>
#include <string_view>

namespace {

// Of what Python code calls here; a build of another form is not used.
constexpr int FORM = 1;

constexpr size_t NUMBER_BYTES = 32;
constexpr int64_t MAX_EXACT = int64_t{1} << 53;
constexpr std::string_view PERCENT_CHANGE = ",\"percent_change\":";

// A number as JSON.
class Number {
public:
    std::string_view text() const { return {text_, size_}; }

    void integer(int64_t value) { end(std::to_chars(text_, text_ + NUMBER_BYTES, value).ptr); }

    // As Python's repr: the shortest text that is read as the same double. False with an exception.
    bool real(double value) {
        const double magnitude = std::fabs(value);
        if (magnitude != 0.0 && !(magnitude >= 1e-4 && magnitude < 1e16)) {
            char* told = PyOS_double_to_string(value, 'r', 0, Py_DTSF_ADD_DOT_0, nullptr);
            if (told == nullptr) {
                return false;
            }
            size_ = std::strlen(told);
            std::memcpy(text_, told, size_);
            PyMem_Free(told);
            return true;
        }
        end(std::to_chars(text_, text_ + NUMBER_BYTES, value, std::chars_format::fixed).ptr);
        if (text().find('.') == std::string_view::npos) {
            std::memcpy(text_ + size_, ".0", 2);
            size_ += 2;
        }
        return true;
    }

private:
    void end(const char* behind) { size_ = behind - text_; }

    char text_[NUMBER_BYTES + 2];
    size_t size_ = 0;
};

char* put(char* at, std::string_view text) {
    std::memcpy(at, text.data(), text.size());
    return at + text.size();
}

// The header of a final, unmasked text frame.
std::string_view header(uint64_t size, char (&into)[10]) {
    into[0] = '\x81';
    size_t width = 0;
    if (size < 126) {
        into[1] = static_cast<char>(size);
    } else {
        width = size < 65536 ? 2 : 8;
        into[1] = width == 2 ? 126 : 127;
        for (size_t n = 0; n < width; ++n) {
            into[2 + n] = static_cast<char>(size >> 8 * (width - 1 - n));
        }
    }
    return {into, 2 + width};
}

struct Speller {
    PyObject_HEAD
    std::string kept;  // The head, the closes, the range, one behind the other.
    size_t head, closes;
    double locator, close;
    bool is_exact;
};

PyObject* speller_new(PyTypeObject* type, PyObject* arguments, PyObject* named) {
    static const char* names[] = {"head", nullptr};
    const char* head;
    Py_ssize_t size;
    if (!PyArg_ParseTupleAndKeywords(arguments, named, "y#", const_cast<char**>(names), &head,
                                     &size)) {
        return nullptr;
    }
    auto* self = reinterpret_cast<Speller*>(type->tp_alloc(type, 0));
    if (self != nullptr) {
        new (&self->kept) std::string();
        try {
            self->kept.assign(head, size);
        } catch (const std::bad_alloc&) {
            Py_DECREF(self);
            return PyErr_NoMemory();
        }
        self->head = self->closes = size;
        self->locator = 1.0;
        self->close = 0.0;
        self->is_exact = false;
    }
    return reinterpret_cast<PyObject*>(self);
}

void speller_free(PyObject* object) {
    PyTypeObject* type = Py_TYPE(object);
    reinterpret_cast<Speller*>(object)->kept.~basic_string();
    type->tp_free(object);
    Py_DECREF(type);
}

bool integer(PyObject* object, int64_t& found) {
    found = PyLong_AsLongLong(object);
    return found != -1 || !PyErr_Occurred();
}

bool has(Py_ssize_t count, Py_ssize_t wanted) {
    if (count != wanted) {
        PyErr_Format(PyExc_TypeError, "found %zd arguments, expected %zd", count, wanted);
    }
    return count == wanted;
}

bool text(PyObject* object, std::string_view& found) {
    if (!PyBytes_Check(object)) {
        PyErr_Format(PyExc_TypeError, "found a text of type %s, expected bytes",
                     Py_TYPE(object)->tp_name);
        return false;
    }
    found = {PyBytes_AS_STRING(object), static_cast<size_t>(PyBytes_GET_SIZE(object))};
    return true;
}

// Appends a price in rupees, or null for one that is unknown. False with an exception.
bool add_price(std::string& to, std::string_view name, int64_t scaled, double locator,
               bool may_be_unknown) {
    Number number;
    to.append(name);
    if (scaled == 0 && may_be_unknown) {
        to.append("null");
        return true;
    }
    if (!number.real(static_cast<double>(scaled) / locator)) {
        return false;
    }
    to.append(number.text());
    return true;
}

PyObject* speller_keep(PyObject* object, PyObject* const* given, Py_ssize_t count) {
    auto* self = reinterpret_cast<Speller*>(object);
    enum { LOCATOR, OPEN, HIGH, LOW, CLOSE, YEAR_HIGH, YEAR_LOW, NUMBERS };
    int64_t of[NUMBERS];
    std::string_view high_on, low_on, volume;
    if (!has(count, NUMBERS + 3) || !text(given[NUMBERS], high_on)
        || !text(given[NUMBERS + 1], low_on) || !text(given[NUMBERS + 2], volume)) {
        return nullptr;
    }
    self->is_exact = true;
    for (int n = 0; n < NUMBERS; ++n) {
        if (!integer(given[n], of[n])) {
            return nullptr;
        }
        if (of[n] < (n == LOCATOR ? 1 : 0)) {
            return PyErr_Format(PyExc_ValueError, "found figure %d to be %lld, expected more", n,
                                static_cast<long long>(of[n]));
        }
        self->is_exact = self->is_exact && of[n] < MAX_EXACT;
    }
    const auto locator = static_cast<double>(of[LOCATOR]);
    self->locator = locator;
    self->close = static_cast<double>(of[CLOSE]) / locator;
    try {
        std::string& kept = self->kept;
        kept.resize(self->head);
        if (!add_price(kept, ",\"open\":", of[OPEN], locator, false)
            || !add_price(kept, ",\"high\":", of[HIGH], locator, false)
            || !add_price(kept, ",\"low\":", of[LOW], locator, false)
            || !add_price(kept, ",\"close\":", of[CLOSE], locator, true)
            || !add_price(kept, ",\"prev_close\":", of[CLOSE], locator, true)) {
            return nullptr;
        }
        kept.append(",\"volume\":");
        self->closes = kept.size();
        if (!add_price(kept, ",\"week_52_high\":", of[YEAR_HIGH], locator, true)
            || !add_price(kept, ",\"week_52_low\":", of[YEAR_LOW], locator, true)) {
            return nullptr;
        }
        kept.append(",\"week_52_high_date\":").append(high_on);
        kept.append(",\"week_52_low_date\":").append(low_on);
        if (!add_price(kept, ",\"day_high\":", of[HIGH], locator, false)
            || !add_price(kept, ",\"day_low\":", of[LOW], locator, false)) {
            return nullptr;
        }
        kept.append(",\"avg_volume_5d\":").append(volume).append(",\"timestamp\":");
    } catch (const std::bad_alloc&) {
        return PyErr_NoMemory();
    }
    Py_RETURN_NONE;
}

PyObject* speller_frame(PyObject* object, PyObject* const* given, Py_ssize_t count) {
    const auto* self = reinterpret_cast<const Speller*>(object);
    int64_t ltp, volume, moment_ms, seq;
    std::string_view updated, told_at;
    if (!has(count, 6) || !integer(given[0], ltp) || !integer(given[1], volume)
        || !integer(given[2], moment_ms) || !text(given[3], updated) || !text(given[4], told_at)
        || !integer(given[5], seq)) {
        return nullptr;
    }
    if (!self->is_exact || ltp < 0 || ltp >= MAX_EXACT) {
        // A quotient of such numbers is not the double that Python comes to.
        Py_RETURN_NONE;
    }
    Number price, percent, traded, moment, number;
    const double rupees = static_cast<double>(ltp) / self->locator;
    const double change = self->close != 0.0 ? (rupees - self->close) / self->close * 100 : 0.0;
    if (!price.real(rupees) || !percent.real(change)) {
        return nullptr;
    }
    traded.integer(volume);
    moment.integer(moment_ms);
    number.integer(seq);
    const std::string_view kept = self->kept;
    const std::string_view head = kept.substr(0, self->head);
    const std::string_view closes = kept.substr(self->head, self->closes - self->head);
    const std::string_view range = kept.substr(self->closes);
    const std::string_view parts[] = {
        head,  price.text(),   closes,  traded.text(), PERCENT_CHANGE, percent.text(),
        range, moment.text(),  updated, told_at,       number.text(),  "}",
    };
    size_t size = 0;
    for (const std::string_view part : parts) {
        size += part.size();
    }
    char room[10];
    const std::string_view begin = header(size, room);
    PyObject* frame = PyBytes_FromStringAndSize(nullptr, begin.size() + size);
    if (frame != nullptr) {
        char* at = put(PyBytes_AS_STRING(frame), begin);
        for (const std::string_view part : parts) {
            at = put(at, part);
        }
    }
    return frame;
}

PyMethodDef speller_methods[] = {
    {"keep", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(speller_keep)), METH_FASTCALL,
     "Take the figures of the day."},
    {"frame", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(speller_frame)), METH_FASTCALL,
     "Return a message as a frame; None if its figures are too large."},
    {nullptr, nullptr, 0, nullptr},
};

PyType_Slot speller_slots[] = {
    {Py_tp_new, reinterpret_cast<void*>(speller_new)},
    {Py_tp_dealloc, reinterpret_cast<void*>(speller_free)},
    {Py_tp_methods, speller_methods},
    {Py_tp_doc, const_cast<char*>("Spells the market_data messages of one instrument.")},
    {0, nullptr},
};

PyType_Spec speller_spec = {
    "streamer._spelling.Speller", sizeof(Speller), 0, Py_TPFLAGS_DEFAULT, speller_slots,
};

int module_exec(PyObject* module) {
    PyObject* type = PyType_FromSpec(&speller_spec);
    if (type == nullptr) {
        return -1;
    }
    const int failed = PyModule_AddObjectRef(module, "Speller", type);
    Py_DECREF(type);
    return failed ? failed : PyModule_AddIntConstant(module, "FORM", FORM);
}

PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, reinterpret_cast<void*>(module_exec)},
    {0, nullptr},
};

PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT, "_spelling", "Quotes to frames, compiled.", 0, nullptr,
    module_slots, nullptr, nullptr, nullptr,
};

}  // namespace

PyMODINIT_FUNC PyInit__spelling() { return PyModuleDef_Init(&module_definition); }
