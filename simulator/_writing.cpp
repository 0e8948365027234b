// What streamer/odin/touchline.py's encode_plain_touchline does, compiled: packed rows to texts
// (209), one by one or side by side as frames hold them.
//
// The plain writer is the authority; whatever figures both are given, they write the same bytes.
// A row is packed as simulator/updates.py packs it.

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <charconv>
#include <cstdint>
#include <cstring>
#include <new>
#include <string>
#include <string_view>

namespace {

// Of what Python code calls here; a build of another form is not used.
constexpr int FORM = 1;

// The figures of a row, in order; more may follow.
enum Figure {
    LTP, LTQ, VOLUME, ATP, BID_QUANTITY, BID, ASK_QUANTITY, ASK, TOTAL_BUY, TOTAL_SELL,
    OPEN, HIGH, LOW, CLOSE, LTT, LUT, LOCATOR, HIGH_52, LOW_52, OPEN_INTEREST, SENT, FIGURES,
};

constexpr int64_t NS = 1'000'000'000;
constexpr int64_t IST_S = 19'800;
constexpr int64_t EPOCH_1980_S = 315'532'800 - IST_S;
constexpr int64_t LAST_S = 253'402'300'799 - IST_S - EPOCH_1980_S;
constexpr int64_t DAY_S = 86'400;
constexpr int64_t MAX_PRICE = int64_t{1} << 48;
constexpr std::string_view HEAD = "63=FT3.0|64=209|65=";
constexpr size_t BLOCK_BYTES = 6;

// A buffer of one text; the longest has under 900 bytes.
class Text {
public:
    std::string_view view() const { return {text_, size_}; }

    Text& operator<<(std::string_view part) {
        std::memcpy(text_ + size_, part.data(), part.size());
        size_ += part.size();
        return *this;
    }

    Text& operator<<(int64_t value) {
        size_ = std::to_chars(text_ + size_, text_ + sizeof text_, value).ptr - text_;
        return *this;
    }

    // So many digits at least, with zeros before.
    Text& padded(int64_t value, size_t digits) {
        for (size_t n = digits; n-- > 0; value /= 10) {
            text_[size_ + n] = static_cast<char>('0' + value % 10);
        }
        size_ += digits;
        return *this;
    }

private:
    char text_[1024];
    size_t size_ = 0;
};

struct Date {
    int64_t year;
    unsigned month, day;
};

// The date so many days after 1970-01-01, in the proleptic Gregorian calendar: years begin in
// March, so that the leap day is the last of one.
Date date_of(int64_t days) {
    days += 719'468;
    const int64_t era = (days >= 0 ? days : days - 146'096) / 146'097;
    const auto of_era = static_cast<unsigned>(days - era * 146'097);
    const unsigned year_of_era =
        (of_era - of_era / 1460 + of_era / 36'524 - of_era / 146'096) / 365;
    const unsigned of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const unsigned month_from_march = (5 * of_year + 2) / 153;
    const unsigned month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    return {
        static_cast<int64_t>(year_of_era) + era * 400 + (month <= 2 ? 1 : 0),
        month,
        of_year - (153 * month_from_march + 2) / 5 + 1,
    };
}

// A time as texts have it: date and clock in India, 1980-01-01 where it is unknown.
struct Moment {
    explicit Moment(int64_t ns) {
        int64_t seconds = (ns >= 0 ? ns / NS : -((-ns + NS - 1) / NS)) - EPOCH_1980_S;
        if (seconds <= 0 || seconds > LAST_S) {
            seconds = 0;
        }
        const int64_t wall = seconds + EPOCH_1980_S + IST_S;
        date = date_of(wall / DAY_S);
        const int64_t of_day = wall % DAY_S;
        clock = of_day / 3600 * 10'000 + of_day / 60 % 60 * 100 + of_day % 60;
    }

    Date date;
    int64_t clock;  // As its six digits are read.
};

void put_stamp(Text& text, int64_t ns) {
    const Moment moment(ns);
    text.padded(moment.date.year, 4) << "-";
    text.padded(moment.date.month, 2) << "-";
    text.padded(moment.date.day, 2) << " ";
    text.padded(moment.clock, 6);
}

void put_header_stamp(Text& text, int64_t ns) {
    const Moment moment(ns);
    text.padded(moment.date.day, 2).padded(moment.date.month, 2).padded(moment.date.year, 4) << " ";
    text.padded(moment.clock, 6);
}

void put_decimal(Text& text, int64_t hundredths, bool is_negative) {
    if (is_negative && hundredths != 0) {
        text << "-";
    }
    text << hundredths / 100 << ".";
    text.padded(hundredths % 100, 2);
}

// A row that has no price beyond what can be computed with.
bool is_writable(const int64_t* row) {
    return row[LTP] >= 0 && row[LTP] <= MAX_PRICE && row[CLOSE] >= 0 && row[CLOSE] <= MAX_PRICE;
}

// What follows the length.
void put_tail(Text& text, int64_t segment, int64_t token, const int64_t* row) {
    const int64_t ltp = row[LTP], close = row[CLOSE];
    const bool falls = ltp < close;
    int64_t change = 0, per_cent = 0;
    if (ltp != 0 && close != 0) {
        change = falls ? close - ltp : ltp - close;
        per_cent = (change * 20'000 + close) / (2 * close);
    }
    text << "|66=";
    put_header_stamp(text, row[SENT]);
    text << "|1=" << segment << "|73=";
    put_stamp(text, row[LTT]);
    text << "|7=" << token << "|79=" << row[VOLUME] << "|8=" << ltp << "|54=";
    put_decimal(text, per_cent, falls);
    text << "|9=" << row[LTQ] << "|80=" << row[ATP] << "|74=";
    put_stamp(text, row[LUT]);
    text << "|2=" << row[BID_QUANTITY] << "|3=" << row[BID] << "|5=" << row[ASK_QUANTITY]
         << "|6=" << row[ASK] << "|81=" << row[TOTAL_BUY] << "|82=" << row[TOTAL_SELL]
         << "|76=" << close << "|75=" << row[OPEN] << "|77=" << row[HIGH] << "|78=" << row[LOW]
         << "|399=100|93=" << row[HIGH_52] << "|94=" << row[LOW_52] << "|88=" << row[OPEN_INTEREST]
         << "|393=";
    put_decimal(text, change, falls);
    text << "|380=0-0";
}

// The length of a text, which counts its own digits, and what stands before its tail.
size_t put_head(Text& text, size_t size_of_tail) {
    const size_t others = HEAD.size() + size_of_tail;
    size_t size = others + 1;
    for (size_t limit = 10; size >= limit; limit *= 10) {
        ++size;
    }
    text << HEAD << static_cast<int64_t>(size);
    return size;
}

// A buffer of whole numbers, given back when it goes out of sight.
class Numbers {
public:
    ~Numbers() { PyBuffer_Release(&buffer_); }
    bool open(PyObject* object) { return PyObject_GetBuffer(object, &buffer_, PyBUF_SIMPLE) == 0; }
    template <typename Value>
    const Value* as() const { return static_cast<const Value*>(buffer_.buf); }
    template <typename Value>
    Py_ssize_t count() const { return buffer_.len / static_cast<Py_ssize_t>(sizeof(Value)); }

private:
    Py_buffer buffer_{};
};

PyObject* unwritable(const int64_t* row) {
    return PyErr_Format(PyExc_ValueError, "found the prices %lld and %lld, expected 0 to %lld",
                        static_cast<long long>(row[LTP]), static_cast<long long>(row[CLOSE]),
                        static_cast<long long>(MAX_PRICE));
}

PyObject* write_text(PyObject*, PyObject* arguments) {
    long long segment, token;
    PyObject* packed;
    Py_ssize_t offset;
    if (!PyArg_ParseTuple(arguments, "LLOn", &segment, &token, &packed, &offset)) {
        return nullptr;
    }
    Numbers figures;
    if (!figures.open(packed)) {
        return nullptr;
    }
    constexpr Py_ssize_t row_bytes = FIGURES * sizeof(int64_t);
    if (offset < 0 || figures.count<char>() - offset < row_bytes) {
        return PyErr_Format(PyExc_ValueError, "found %zd bytes from %zd on, expected a row of %zd",
                            figures.count<char>(), offset, row_bytes);
    }
    int64_t row[FIGURES];
    std::memcpy(row, figures.as<char>() + offset, row_bytes);
    if (!is_writable(row)) {
        return unwritable(row);
    }
    Text tail, head;
    put_tail(tail, segment, token, row);
    put_head(head, tail.view().size());
    PyObject* text =
        PyBytes_FromStringAndSize(nullptr, head.view().size() + tail.view().size());
    if (text != nullptr) {
        char* at = PyBytes_AS_STRING(text);
        std::memcpy(at, head.view().data(), head.view().size());
        std::memcpy(at + head.view().size(), tail.view().data(), tail.view().size());
    }
    return text;
}

// Appends the rows; returns the first that cannot be written, else null.
const int64_t* put_rows(const int64_t* keys, const int64_t* rows, Py_ssize_t width,
                        const int32_t* instrument, Py_ssize_t count, std::string& framed,
                        std::string& marks) {
    framed.reserve(count * 288);
    marks.reserve((count + 1) * sizeof(int64_t));
    const auto mark = [&] {
        const auto at = static_cast<int64_t>(framed.size());
        marks.append(reinterpret_cast<const char*>(&at), sizeof at);
    };
    for (Py_ssize_t n = 0; n < count; ++n) {
        const int64_t* row = rows + n * width;
        if (!is_writable(row)) {
            return row;
        }
        mark();
        const int64_t* key = keys + 2 * static_cast<Py_ssize_t>(instrument[n]);
        Text tail, head, block;
        put_tail(tail, key[0], key[1], row);
        const size_t size = put_head(head, tail.view().size());
        block << "\x02";
        block.padded(static_cast<int64_t>(size), BLOCK_BYTES - 1);
        framed.append(block.view()).append(head.view()).append(tail.view());
    }
    mark();
    return nullptr;
}

PyObject* write_run(PyObject*, PyObject* arguments) {
    PyObject *keys_given, *rows_given, *instrument_given;
    Py_ssize_t width;
    if (!PyArg_ParseTuple(arguments, "OOnO", &keys_given, &rows_given, &width, &instrument_given)) {
        return nullptr;
    }
    Numbers keys, rows, instrument;
    if (!keys.open(keys_given) || !rows.open(rows_given) || !instrument.open(instrument_given)) {
        return nullptr;
    }
    const Py_ssize_t count = instrument.count<int32_t>();
    if (width < FIGURES || rows.count<int64_t>() != count * width) {
        return PyErr_Format(PyExc_ValueError, "found %zd numbers, expected %zd rows of %zd",
                            rows.count<int64_t>(), count, width);
    }
    const int32_t* of = instrument.as<int32_t>();
    const Py_ssize_t known = keys.count<int64_t>() / 2;
    for (Py_ssize_t n = 0; n < count; ++n) {
        if (of[n] < 0 || of[n] >= known) {
            return PyErr_Format(PyExc_ValueError, "found instrument %d, expected 0 to %zd", of[n],
                                known - 1);
        }
    }
    std::string framed, marks;
    const int64_t* refused = nullptr;
    bool is_full = false;
    Py_BEGIN_ALLOW_THREADS
    try {
        refused = put_rows(keys.as<int64_t>(), rows.as<int64_t>(), width, of, count, framed, marks);
    } catch (const std::bad_alloc&) {
        is_full = true;
    }
    Py_END_ALLOW_THREADS
    if (is_full) {
        return PyErr_NoMemory();
    }
    if (refused != nullptr) {
        return unwritable(refused);
    }
    return Py_BuildValue("(y#y#)", framed.data(), static_cast<Py_ssize_t>(framed.size()),
                         marks.data(), static_cast<Py_ssize_t>(marks.size()));
}

PyMethodDef methods[] = {
    {"text", write_text, METH_VARARGS, "Return the text of a packed row."},
    {"run", write_run, METH_VARARGS, "Return the texts of rows side by side, and where each begins."},
    {nullptr, nullptr, 0, nullptr},
};

int module_exec(PyObject* module) { return PyModule_AddIntConstant(module, "FORM", FORM); }

PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, reinterpret_cast<void*>(module_exec)},
    {0, nullptr},
};

PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT, "_writing", "Packed rows to texts, compiled.", 0, methods,
    module_slots, nullptr, nullptr, nullptr,
};

}  // namespace

PyMODINIT_FUNC PyInit__writing() { return PyModuleDef_Init(&module_definition); }
