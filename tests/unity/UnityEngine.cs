// As much of UnityEngine as docs/unity.md uses, to compile and run it without Unity.
using System;
using System.Collections;
using System.Collections.Generic;
using System.Globalization;
using System.Reflection;
using System.Text;

namespace UnityEngine
{
    [AttributeUsage(AttributeTargets.Field)]
    public sealed class SerializeField : Attribute
    {
    }

    [AttributeUsage(AttributeTargets.Field)]
    public sealed class TooltipAttribute : Attribute
    {
        public TooltipAttribute(string text)
        {
        }
    }

    public class MonoBehaviour
    {
    }

    public struct Rect
    {
        public float x, y, width, height;

        public Rect(float x, float y, float width, float height)
        {
            this.x = x;
            this.y = y;
            this.width = width;
            this.height = height;
        }
    }

    public static class Screen
    {
        public static int width = 1280;
        public static int height = 960;
    }

    public static class Debug
    {
        public static void Log(object text)
        {
            Console.WriteLine("log " + text);
        }

        public static void LogWarning(object text)
        {
            Console.WriteLine("warning " + text);
        }
    }

    // Fills public fields by their names and ignores the others; bad JSON is an ArgumentException.
    public static class JsonUtility
    {
        public static T FromJson<T>(string json)
        {
            int at = 0;
            object value = Read(json, ref at);
            Skip(json, ref at);
            if (at < json.Length) throw new ArgumentException("JSON parse error: The document root must not follow by other values.");
            return (T)Fill(value, typeof(T));
        }

        static object Fill(object value, Type type)
        {
            if (type.IsArray)
            {
                List<object> items = (List<object>)value;
                Array array = Array.CreateInstance(type.GetElementType(), items.Count);
                for (int n = 0; n < items.Count; n++) array.SetValue(Fill(items[n], type.GetElementType()), n);
                return array;
            }
            Dictionary<string, object> fields = value as Dictionary<string, object>;
            if (fields == null) return Convert.ChangeType(value, type, CultureInfo.InvariantCulture);
            if (!type.IsDefined(typeof(SerializableAttribute), false)) throw new ArgumentException(type + " is not serialisable");
            object filled = Activator.CreateInstance(type);
            foreach (FieldInfo field in type.GetFields(BindingFlags.Public | BindingFlags.Instance))
            {
                object found;
                if (fields.TryGetValue(field.Name, out found)) field.SetValue(filled, Fill(found, field.FieldType));
            }
            return filled;
        }

        static void Skip(string json, ref int at)
        {
            while (at < json.Length && " \t\r\n".IndexOf(json[at]) >= 0) at++;
        }

        static bool Next(string json, ref int at, char wanted)
        {
            Skip(json, ref at);
            if (at >= json.Length || json[at] != wanted) return false;
            at++;
            return true;
        }

        static void Need(string json, ref int at, char wanted)
        {
            if (!Next(json, ref at, wanted)) throw new ArgumentException("JSON parse error: " + wanted + " at " + at);
        }

        static object Read(string json, ref int at)
        {
            if (Next(json, ref at, '{'))
            {
                Dictionary<string, object> fields = new Dictionary<string, object>();
                if (Next(json, ref at, '}')) return fields;
                do
                {
                    string name = ReadText(json, ref at);
                    Need(json, ref at, ':');
                    fields[name] = Read(json, ref at);
                }
                while (Next(json, ref at, ','));
                Need(json, ref at, '}');
                return fields;
            }
            if (Next(json, ref at, '['))
            {
                List<object> items = new List<object>();
                if (Next(json, ref at, ']')) return items;
                do items.Add(Read(json, ref at));
                while (Next(json, ref at, ','));
                Need(json, ref at, ']');
                return items;
            }
            if (at < json.Length && json[at] == '"') return ReadText(json, ref at);
            int start = at;
            while (at < json.Length && "+-.eE0123456789".IndexOf(json[at]) >= 0) at++;
            double number;
            if (!double.TryParse(json.Substring(start, at - start), NumberStyles.Float, CultureInfo.InvariantCulture, out number))
                throw new ArgumentException("JSON parse error: no value at " + start);
            return number;
        }

        static string ReadText(string json, ref int at)
        {
            Need(json, ref at, '"');
            StringBuilder text = new StringBuilder();
            while (at < json.Length && json[at] != '"')
            {
                char letter = json[at++];
                if (letter == '\\')
                {
                    letter = json[at++];
                    if (letter == 'u')
                    {
                        letter = (char)Convert.ToInt32(json.Substring(at, 4), 16);
                        at += 4;
                    }
                }
                text.Append(letter);
            }
            Need(json, ref at, '"');
            return text.ToString();
        }
    }
}

namespace UnityEngine.Events
{
    public class UnityEvent<T>
    {
        readonly List<Action<T>> listeners = new List<Action<T>>();

        public void AddListener(Action<T> listener)
        {
            listeners.Add(listener);
        }

        public void Invoke(T value)
        {
            foreach (Action<T> listener in listeners) listener(value);
        }
    }
}
